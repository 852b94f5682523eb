-- What cannot be found out by trying: how some objects come to be, what some
-- arguments must be for a call to be harmless. Everything else is explored.

local M = {}

--- Classes whose objects no user is given: name -> why.
M.own = {
  ["green.http.event_parser"] = "a part of what http.events gives",
  ["green.http.proxy"] = "the client's: options are texts",
  ["green.http.proxy_rules"] = "the same",
  ["green.wsgi.log"] = "a server's, which calls it for every request: its methods check nothing",
}

--- Modules that users require, though they stand in another's folder.
M.deeper = { "zmq.broker", "zmq.rpc" }

--- Exported tables that hold nothing of ours: label -> why.
M.foreign = {
  ["stdio.raw"] = "Lua's own functions",
  ["stdio.read"] = "Lua's own, and its messages",
  ["stdio.write"] = "the same",
  ["stdio.flush"] = "the same",
  ["stdio.exit"] = "ends the program",
}

--- Exported tables that classes are made of: their functions are tried as methods.
M.parts = { methods = true, mt = true }

--- Arguments that make a call harmless: label -> texts (see build.lua). These go
-- before what exploring would find.
M.args = {
  ["digest.hmac"] = { "'sha256'", "'x'", "'x'" },
  ["digest.new"] = { "'sha256'", "{ key = 'x' }" },
  ["digest.unhex"] = { "'78'" },
  ["process.kill"] = { "4194305", "0" }, -- beyond every pid, and no signal
  ["process.pipe"] = { "{ { 'true' } }" },
  ["process.popen"] = { "{ 'true' }" },
  ["process.run"] = { "{ 'true' }" },
  ["process.spawn"] = { "{ 'true' }" },
  ["process.wait"] = { "4194305", "0.001" },
  ["fs.chmod"] = { "'x'", "'0600'" },
  ["fs.glob"] = { "'x'" },
  ["fs.tempdir"] = { "{ dir = '.' }" },
  ["fs.tempfile"] = { "{ dir = '.' }" },
  ["fs.utime"] = { "'x'", "{ mtime = 0 }" },
  ["pipe.from_fd"] = { "1000000" },
  ["pipe.open"] = { "'/dev/null'", "'rw'" },
  ["shared.counter"] = { "'calls'", "0" },
  ["shared.dict"] = { "'calls'", "8192" },
  ["socket.from_fd"] = { "-1" },
  ["pools.Pool"] = { "{ create = fn }" },
  ["testing.check_stream"] = {
    "function() error('no pair', 0) end", "{ it = fn }" },
  ["zmq.rpc.broker"] = { "{ bind = 'tcp://127.0.0.1:*' }" },
  ["zmq.rpc.client"] = { "'tcp://127.0.0.1:9'" },
  ["zmq.rpc.worker"] = { "{ broker = 'tcp://127.0.0.1:9', service = 'x', handlers = {} }" },
  ["timeout.shield"] = { "0.001", "fn()" },
}

--- Functions that cost a process, or a garbage collection: label -> true. They are
-- not called by the hundred.
M.dear = {
  ["process.fork"] = true,
  ["process.pipe"] = true,
  ["process.popen"] = true,
  ["process.run"] = true,
  ["process.spawn"] = true,
  ["testing.advance"] = true,
  ["testing.assert_no_leaks"] = true,
  ["testing.check_stream"] = true,
  ["testing.real"] = true,
  ["testing.virtual"] = true,
}

--- Where no options are right, and start something long: label -> values that are
-- not tried.
M.long = {
  -- They would leave files where others have theirs, too.
  ["fs.tempdir"] = { ["nil"] = true, ["{}"] = true, ["a locked table"] = true,
    ["a named table"] = true },
  ["fs.tempfile"] = { ["nil"] = true, ["{}"] = true, ["a locked table"] = true,
    ["a named table"] = true },
  ["testing.check_stream"] = { ["nil"] = true, ["{}"] = true, ["a locked table"] = true,
    ["a named table"] = true },
}

--- What these raise is what they are for, not a mistake in the call: label -> how
-- it begins.
M.results = {
  ["testing.assert_no_leaks"] = "left behind:",
  ["testing.real"] = "left behind:",
  ["testing.virtual"] = "left behind:",
  ["error.new"] = "a table without a metatable, not a green.error", -- it made one of it before
  ["testing.check_stream"] = "check_stream: %d+ of %d+ checks failed",
  ["green.zmq.rpc.client:call"] = "the arguments cannot be encoded", -- by JSON: nan
  ["green.zmq.rpc.broker:start"] = "started already", -- it is called again and again
  ["green.zmq.rpc.worker:start"] = "started already",
  ['env["green.give"]'] = "what guest_of gives must be a guest, not nil",
}

--- Methods that end an object.
M.ends = { "close", "cancel", "stop", "kill", "kill_soon", "finish", "shutdown", "exit" }

--- Objects in other states than a new one: class -> texts.
M.states = {
  ["green.socket"] = { "M'server'.listen('127.0.0.1:0')", "M'socket'.tcp()", "taken_over()" },
  ["green.tls"] = { "M'tls'.client(M'socket'.tcp(), { verify = false })" },
  ["green.env"] = { "over(O'green.env')" },
  ["green.input"] = { "over(O'green.input')" },
  ["green.thread"] = { "dead()" },
  ["green.Event"] = { "sent()" },
}

--- Tables with functions for their users: name -> text.
M.holders = { env = "M'wsgi'.fill(O'green.env')" }

-- -- Recipes: class -> function(K) returning an object ------------------------
-- K.later(fn) is called when the call is over.

local recipes = {}
M.recipes = recipes

recipes["green.thread"] = function(K)
  local green = require "green"
  local thread = green.spawn(green.sleep, 3600)
  K.later(function() thread:kill_soon() end)
  return thread
end

recipes["green.socket"] = function(K)
  local ours, theirs = require("green.socket").pair()
  K.later(function() theirs:close() end)
  return ours
end

local contexts -- made once: to read certificates is most of the work

local function tls_contexts()
  if not contexts then
    local tls, certs = require "green.tls", require "spec.support.certs"
    contexts = { client = assert(tls.context { ca = certs.path "ca.pem" }),
      server = assert(tls.context(certs.server("a", { server = true }))) }
  end
  return contexts
end

recipes["green.file"] = function()
  return assert(require("green.fs").open("x", "w+"))
end

recipes["green.fs.root"] = function(K)
  local root = assert(require("green.fs").root("."))
  K.later(function() root:close() end)
  return root
end

recipes["green.fs.watch"] = function(K)
  local watch = assert(require("green.fs").watch("."))
  K.later(function() watch:close() end)
  return watch
end

recipes["green.pipe"] = function(K)
  local reader, writer = assert(require("green.pipe").new())
  K.later(function() writer:close() end)
  return reader
end

recipes["green.process"] = function(K)
  local child = assert(require("green.process").spawn { "sleep", "1000", pty = true })
  K.later(function()
    child:stop()
    child:close()
  end)
  return child
end

recipes["green.process.status"] = function()
  return assert(require("green.process").run { "true" })
end

recipes["green.tls"] = function(K)
  local green, tls = require "green", require "green.tls"
  local a, b = require("green.testing").stream_pair()
  local there = green.spawn(tls.server, b, { context = tls_contexts().server })
  local conn = assert(tls.client(a, { context = tls_contexts().client, host = "a.test" }))
  K.later(function() there:wait():close() end)
  return conn
end

recipes["green.tls.listener"] = function()
  return assert(require("green").listen("127.0.0.1:0", { tls = tls_contexts().server }))
end

recipes["green.tls.context"] = function()
  return assert(require("green.tls").context { verify = false })
end

recipes["green.url"] = function()
  return assert(require("green.url").parse "http://u:p@h:81/x?y#z")
end

recipes["green.dns.resolver"] = function()
  return require("green.dns").resolver { servers = { "127.0.0.1:9" }, tries = 1, timeout = 0.1 }
end

recipes["green.dns.apart"] = function()
  return assert(require("green.dns.apart").start("127.0.0.1", 80, {}))
end

recipes["green.http.response"] = function()
  return assert(require("green.http").session({ app = function()
    return 200, { ["X-A"] = "1" }, "body\n"
  end }):get "http://h/")
end

recipes["green.http.headers"] = function()
  return recipes["green.http.response"]().headers
end

recipes["green.http.proxy"] = function()
  return assert(require("green.http.proxy").parse "http://h:1")
end

recipes["green.http.proxy_rules"] = function()
  return require("green.http.proxy").option("http://h:1", "kit")
end

recipes["green.http.event_parser"] = function()
  return require("green.http.event_parser").new()
end

recipes["green.group"] = function(K)
  local green = require "green"
  local made
  local thread = green.spawn(function()
    green.group(function(group)
      made = group
      green.sleep(3600)
    end)
  end)
  K.later(function() thread:kill_soon() end)
  green.sleep(0)
  return made
end

recipes["green.backdoor"] = function(K)
  local door = assert(require("green.backdoor").open { port = 0 })
  K.later(function() door:close() end)
  return door
end

recipes["green.profile.result"] = function()
  local profile = require "green.profile"
  assert(profile.start { kind = "wait" })
  return assert(profile.stop("wait"))
end

recipes["green.Timeout"] = function(K)
  local timer = require("green.timeout").Timeout(3600)
  K.later(function() timer:cancel() end)
  return timer
end

recipes["green.wsgi.server"] = function(K)
  local server = assert(require("green.wsgi").new("127.0.0.1:0", function() end,
    { log = false, error_log = false, stop_grace = 0 }))
  K.later(function() server:stop() end)
  return server
end

--- A request in hand: its env, while the handler waits.
local function request(K, within)
  local green, wsgi = require "green", require "green.wsgi"
  local given, over = green.Event(), green.Event()
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    given:send(within and within(env) or env)
    over:wait()
    return 200, {}, "done"
  end, { log = false, error_log = false, stop_grace = 0 }))
  server:start()
  local client = assert(green.connect(server:address()))
  client:write("POST /x?y=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nhel")
  K.later(function()
    if not over:ready() then over:send() end
    client:close()
    server:stop()
  end)
  return given:wait(2)
end

recipes["green.env"] = function(K)
  return request(K)
end

recipes["green.wsgi.errors"] = function(K)
  return request(K, function(env) return env.error end)
end

recipes["green.wsgi.gone"] = function(K)
  return request(K, function(env) return env["green.gone"] end)
end

recipes["green.input"] = function(K)
  return request(K, function(env) return env["wsgi.input"] or env.input end)
end

recipes["green.metrics.registry"] = function()
  return require("green.metrics").registry()
end

recipes["green.metrics.counter"] = function()
  return recipes["green.metrics.registry"]():counter("calls_total", "Calls.")
end

recipes["green.metrics.gauge"] = function()
  return recipes["green.metrics.registry"]():gauge("calls", "Calls.")
end

recipes["green.metrics.histogram"] = function()
  return recipes["green.metrics.registry"]():histogram("calls", "Calls.")
end

recipes["green.redis"] = function(K)
  local db = require("spec.support.redis_fake").client()
  K.later(function() db:close() end)
  return db
end

recipes["green.redis.subscription"] = function(K)
  local sub = assert(recipes["green.redis"](K):subscribe "a")
  K.later(function() sub:close() end)
  return sub
end

recipes["green.zmq.context"] = function(K)
  local context = assert(require("green.zmq").Context {})
  K.later(function() context:term(0) end)
  return context
end

--- A context has one, so it is given one of its own.
recipes["green.zmq.auth"] = function(K)
  local auth = assert(require("green.zmq").auth(recipes["green.zmq.context"](K)))
  K.later(function() auth:stop() end)
  return auth
end

recipes["green.zmq.broker"] = function(K)
  local at = "tcp://127.0.0.1:*"
  local broker = assert(require("green.zmq.broker").start { ask = at, pub = at, sub = at })
  K.later(function() broker:close() end)
  return broker
end

recipes["green.zmq.rpc.broker"] = function(K)
  local broker = require("green.zmq.rpc").broker { bind = "tcp://127.0.0.1:*" }
  K.later(function() broker:stop() end)
  return broker
end

recipes["green.zmq.rpc.worker"] = function(K)
  local worker = require("green.zmq.rpc").worker { broker = "tcp://127.0.0.1:9", service = "x",
    handlers = {} }
  K.later(function() worker:stop(0) end)
  return worker
end

recipes["green.zmq.rpc.client"] = function(K)
  local client = require("green.zmq.rpc").client("tcp://127.0.0.1:9",
    { timeout = 0.01, retries = 0 })
  K.later(function() client:close() end)
  return client
end

--- One end of a websocket, whose peer sends it a message.
local function websocket(K, sends)
  local module = require "green.websocket"
  local a, b = require("green.testing").stream_pair()
  local ours = assert(module.attach(a, { client = true }))
  local theirs = assert(module.attach(b))
  if sends then
    theirs:send(sends)
  end
  K.later(function()
    ours:abort()
    theirs:abort()
  end)
  return ours
end

recipes["green.websocket"] = function(K)
  return websocket(K)
end

recipes["green.websocket.reader"] = function(K)
  return assert(websocket(K, "a message"):reader())
end

recipes["green.websocket.writer"] = function(K)
  return assert(websocket(K):writer())
end

--- What a function of the client's gets, while that is at work.
local function within(K, run)
  local green = require "green"
  local given, over = green.Event(), green.Event()
  local thread = green.spawn(function()
    run(recipes["green.redis"](K), function(one)
      given:send(one)
      over:wait()
    end)
  end)
  K.later(function() thread:kill() end)
  return given:wait(2)
end

recipes["green.redis.pipeline"] = function(K)
  return within(K, function(db, give)
    db:pipeline(give)
  end)
end

recipes["green.redis.now"] = function(K)
  return within(K, function(db, give)
    db:multi(function(_, now) give(now) end, { watch = "k" })
  end)
end

return M
