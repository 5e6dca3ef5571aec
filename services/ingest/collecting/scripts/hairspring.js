/* hairspring.js: tells Hairspring what people do in a shop. No dependencies, no build step.
 *
 *   hairspring.track("Product Added", {name: "Egg timer", price: 12.9});
 *   hairspring.identify("ada", {email: "ada@example.com"});
 *   hairspring.page();
 *   hairspring.reset();
 *
 * A call is written to localStorage at once, under a message id of its own, and is taken out when
 * the collector has answered. So it survives navigation, a closed tab and hours without a network.
 * Should it be sent twice, by two tabs or when a page is left, the collector drops the repeat.
 */
(function (window, document) {
  "use strict";

  const VERSION = "1";
  const QUEUE = "hairspring.queue.";
  const MOST_CALLS = 500; // What waits is bounded: the oldest calls are let go.
  const MOST_CHARACTERS = 1e6;
  const MOST_PER_CALL = 31e3; // In bytes; the collector takes 32 KB.
  const MOST_PER_REQUEST = 60e3; // In bytes; browsers let pages that are left send 64 KB.
  const GATHER_MS = 100; // How long calls gather before they are sent together.
  const FIRST_PAUSE_MS = 1000;
  const LONGEST_PAUSE_MS = 60000;
  const PATIENCE_MS = 20000; // How long an answer may take.

  const hairspring = (window.hairspring = window.hairspring || []);
  const script = document.currentScript || document.querySelector('script[src*="/hairspring.js"]');
  if (hairspring.version) return; // It is here already.
  if (!script) {
    warn('load it from the collector, by <script src="https://.../hairspring.js">, as it is');
    return;
  }

  const address = script.src.replace(/\/hairspring\.js([?#].*)?$/, "");
  const writeKey =
    script.getAttribute("data-write-key") || new URL(script.src).searchParams.get("writeKey") || "";

  // ---- What is kept: in localStorage, else as a cookie, else for as long as the page lives.

  const memory = {};

  function read(name) {
    if (name in memory) return memory[name];
    try {
      return window.localStorage.getItem(name);
    } catch (blocked) {
      return null;
    }
  }

  function write(name, value) {
    try {
      window.localStorage.setItem(name, value);
      delete memory[name];
      return true;
    } catch (blockedOrFull) {
      memory[name] = value;
      return false;
    }
  }

  function remove(name) {
    delete memory[name];
    try {
      window.localStorage.removeItem(name);
    } catch (blocked) {
      // Then it was not there either.
    }
  }

  function cookie(name) {
    const found = document.cookie.split("; ").find((one) => one.startsWith(name + "="));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : null;
  }

  function setCookie(name, value, seconds) {
    const secure = window.location.protocol === "https:" ? "; Secure" : "";
    document.cookie =
      `${name}=${encodeURIComponent(value)}; Max-Age=${seconds}; Path=/; SameSite=Lax${secure}`;
  }

  // An id is read anew for each call, so that all tabs agree.
  const ids = {
    get: (name) => read("hairspring." + name) || cookie("hairspring_" + name),
    set(name, value) {
      if (!write("hairspring." + name, value)) setCookie("hairspring_" + name, value, 31536000);
    },
    forget(name) {
      remove("hairspring." + name);
      setCookie("hairspring_" + name, "", 0);
    },
  };

  function newId() {
    const bytes = window.crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function anonymousId() {
    if (!ids.get("anonymous")) ids.set("anonymous", newId());
    return ids.get("anonymous");
  }

  // ---- The queue: an entry for each call, so that tabs never write over each other's.

  let count = 0;

  function waiting() {
    const names = Object.keys(memory);
    try {
      names.push(...Object.keys(window.localStorage));
    } catch (blocked) {
      // Those in memory are all there are.
    }
    return names.filter((name) => name.startsWith(QUEUE)).sort(); // By the time of the call.
  }

  function keep(call) {
    const text = JSON.stringify(call);
    if (bytes(text) > MOST_PER_CALL) {
      warn(`a call of ${bytes(text)} bytes is not sent; send fewer properties at once`);
      return;
    }
    const names = waiting();
    let characters = names.reduce((sum, name) => sum + (read(name) || "").length, text.length);
    while (names.length >= MOST_CALLS || characters > MOST_CHARACTERS) {
      characters -= (read(names[0]) || "").length;
      remove(names.shift());
    }
    count += 1;
    const order = Date.now().toString(36) + "." + count.toString(36).padStart(5, "0");
    const name = `${QUEUE}${order}.${call.messageId}`;
    // Where the shop itself has filled the storage, the oldest make room.
    while (!write(name, text) && names.some((one) => !(one in memory))) remove(names.shift());
  }

  // ---- Sending.

  const underWay = new Set();
  let timer = 0;
  let due = Infinity; // When the timer rings, in ms.
  let pause = 0;
  let again = 0; // Before this moment nothing is sent, in ms.

  function sendIn(milliseconds) {
    const then = Math.max(Date.now() + milliseconds, again);
    if (then >= due) return;
    window.clearTimeout(timer);
    due = then;
    timer = window.setTimeout(send, then - Date.now());
  }

  function send() {
    due = Infinity;
    const locks = window.navigator.locks; // Not on pages without https.
    if (!locks) return post();
    return locks
      .request("hairspring", { ifAvailable: true }, (mine) => {
        if (mine) return post();
        return sendIn(FIRST_PAUSE_MS); // Another tab is sending, for us too.
      })
      .catch(post);
  }

  /** Send what waits, as much as one request takes, and go on until nothing waits. */
  async function post() {
    const names = next();
    if (!names.length) return;
    names.forEach((name) => underWay.add(name));
    const answer = await fetched(body(names));
    names.forEach((name) => underWay.delete(name));
    if (answer && (answer.ok || [400, 401, 403, 413].includes(answer.status))) {
      names.forEach(remove); // Committed; or never to be taken, however often it is sent.
      pause = again = 0;
      await tell(answer);
      return post();
    }
    pause = Math.min(Math.max(pause * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
    const asked = answer ? Number(answer.headers.get("Retry-After")) * 1000 || 0 : 0;
    again = Date.now() + Math.max(asked, pause * (0.5 + Math.random() / 2));
    sendIn(0);
  }

  function next() {
    const names = [];
    let size = 0;
    for (const name of waiting()) {
      if (underWay.has(name)) continue;
      size += bytes(read(name) || "") + 1;
      if (size > MOST_PER_REQUEST) break;
      names.push(name);
    }
    return names;
  }

  function body(names) {
    const calls = names.map(read).filter(Boolean).join(",");
    const shared = JSON.stringify({
      sentAt: new Date(),
      writeKey,
      context: {
        library: { name: "hairspring.js", version: VERSION },
        locale: window.navigator.language,
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        userAgent: window.navigator.userAgent,
      },
    });
    return `{"batch":[${calls}],${shared.slice(1)}`;
  }

  /** Answer the response, or null where there was none. Plain text needs no preflight. */
  function fetched(text) {
    const stop = new AbortController();
    const watch = window.setTimeout(() => stop.abort(), PATIENCE_MS);
    return window
      .fetch(address + "/v1/batch", {
        method: "POST",
        headers: { "Content-Type": "text/plain" },
        body: text,
        credentials: "omit",
        keepalive: true, // It goes on when the page is left.
        signal: stop.signal,
      })
      .catch(() => null)
      .then((answer) => {
        window.clearTimeout(watch);
        return answer;
      });
  }

  async function tell(answer) {
    const told = await answer.json().catch(() => null);
    if (!told || told.success) return;
    if (told.message) warn(`calls were not taken: ${told.message}`);
    (told.refused || []).forEach((one) => warn(`a call was not taken: ${one.message}`));
  }

  /** Send on leave what is not under way. Where no answer is seen, the next page sends it again. */
  function leave() {
    const names = next();
    if (!names.length) return;
    if ("keepalive" in window.Request.prototype) {
      post();
    } else if (window.navigator.sendBeacon(address + "/v1/batch", body(names))) {
      // It has no answer, so a page that stays sends the same again after a while.
      names.forEach((name) => underWay.add(name));
      window.setTimeout(() => {
        names.forEach((name) => underWay.delete(name));
        sendIn(0);
      }, PATIENCE_MS);
    }
  }

  // ---- Calls.

  function call(type, fields, at) {
    const page = seen(at);
    const context = { page };
    const campaign = campaignOf(new URLSearchParams(page.search));
    if (campaign) context.campaign = campaign;
    const made = { type, messageId: newId(), anonymousId: anonymousId(), context };
    if (ids.get("profile")) made.userId = ids.get("profile");
    keep(Object.assign(made, { originalTimestamp: at.time || new Date() }, fields));
    sendIn(GATHER_MS);
  }

  /** Answer the page of a call: the one that the stub has told, else the one that is there. */
  function seen(at) {
    const here = at.url ? new URL(at.url) : window.location;
    return {
      path: here.pathname,
      referrer: document.referrer,
      search: here.search,
      title: at.url ? at.title : document.title,
      url: here.href,
    };
  }

  function campaignOf(query) {
    const campaign = {};
    query.forEach((value, name) => {
      if (name.startsWith("utm_")) campaign[name.slice(4).replace(/^campaign$/, "name")] = value;
    });
    return Object.keys(campaign).length ? campaign : null;
  }

  const calls = {
    track([event, properties], at) {
      if (typeof event !== "string" || !event.trim()) {
        return warn('track needs the name of what happened: track("Product Added", {price: 9})');
      }
      call("track", { event, properties: properties || {} }, at);
    },

    identify([id, traits], at) {
      if (isObject(id)) return calls.identify([null, id], at);
      if (id !== undefined && id !== null && id !== "") ids.set("profile", String(id));
      call("identify", { traits: traits || {} }, at);
    },

    page(given, at) {
      const texts = given.filter((one) => typeof one === "string");
      const fields = { properties: Object.assign(seen(at), given.find(isObject)) };
      if (texts.length) fields.name = texts[texts.length - 1];
      if (texts.length > 1) fields.category = texts[0];
      call("page", fields, at);
    },

    reset() {
      ids.forget("profile");
      ids.forget("anonymous");
    },
  };

  function isObject(value) {
    return typeof value === "object" && value !== null;
  }

  function bytes(text) {
    return new Blob([text]).size;
  }

  function warn(problem) {
    window.console.warn("hairspring: " + problem);
  }

  /** Make a call. Whatever is wrong with it, the shop's own script goes on. */
  function make(name, given, at) {
    try {
      calls[name](Array.from(given), at);
    } catch (error) {
      warn(error.message);
    }
  }

  // ---- Taking over from the stub, which has kept [name, arguments, time, url, title].

  const before = Array.from(hairspring);
  hairspring.length = 0;
  Object.keys(calls).forEach((name) => {
    hairspring[name] = (...given) => make(name, given, {});
  });
  Object.assign(hairspring, { version: VERSION, anonymousId });
  before.forEach(([name, given, time, url, title]) => {
    if (name in calls) make(name, given, { time, url, title });
  });

  window.addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") leave();
  });
  ["online", "pageshow"].forEach((name) => {
    window.addEventListener(name, () => {
      again = pause = 0;
      sendIn(0);
    });
  });
  sendIn(0);
})(window, document);
