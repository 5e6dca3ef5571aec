-- Every script ends with this. KEYS: mark, due, leased, tokens of each shard.
-- ARGV[1]: packed ((argument ...) of each shard). Answers packed (answer of each shard).
local answers = {}
for i, given in ipairs(cmsgpack.unpack(ARGV[1])) do
  mark, due, leased, tokens = KEYS[4 * i - 3], KEYS[4 * i - 2], KEYS[4 * i - 1], KEYS[4 * i]
  answers[i] = serve(unpack(given))
end
return cmsgpack.pack(answers)
