-- ARGV: epoch, limit, lease in ms, token, now in ms or '' for the server's clock,
-- expired leases to return, longest lease in ms, '1' to check the server's identity.
-- Answers packed (code, now, earliest due time or lease end or -1, (member, due ...)).
local limit, token, now = tonumber(ARGV[2]), ARGV[4] .. ' ', tonumber(ARGV[5])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local refused = refusal(tonumber(ARGV[1]))
if not refused and ARGV[8] == '1' and redis.call('HGET', mark, 'server') ~= server() then
  refused = LOST
end
if refused then return cmsgpack.pack({refused, now, -1, {}}) end
local function score(ms) return string.format('%.0f', ms) end

if limit > 0 and redis.call('ZCARD', leased) > 1 then
  local stray = '(' .. score(now + tonumber(ARGV[7]))
  give_back(redis.call('ZRANGE', leased, '-inf', score(now), 'BYSCORE', 'LIMIT', 0, ARGV[6]), score(now))
  give_back(redis.call('ZRANGE', leased, stray, '(+inf', 'BYSCORE', 'LIMIT', 0, ARGV[6]), score(now))
end

local found = {}
if limit > 0 then
  found = redis.call('ZRANGE', due, '-inf', score(now), 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
end
if #found > 0 then
  local ends, held, lease_until = {}, {}, score(now + tonumber(ARGV[3]))
  for i = 1, #found, 2 do
    ends[i], ends[i + 1] = lease_until, found[i]
    held[i], held[i + 1] = found[i], token .. found[i + 1]
  end
  redis.call('ZADD', leased, unpack(ends))
  redis.call('HSET', tokens, unpack(held))
  redis.call('ZREMRANGEBYRANK', due, 0, #found / 2 - 1)
end

local head = math.min(
  tonumber(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]),
  tonumber(redis.call('ZRANGE', leased, 0, 0, 'WITHSCORES')[2]))
if head == math.huge then head = -1 end
return cmsgpack.pack({OK, now, head, found})
