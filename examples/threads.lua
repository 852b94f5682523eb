-- An HTTP server on all cores: runtimes in native threads, which share a listener. TERM or
-- Ctrl-C: they finish what they have in hand.
--
--   greenlua examples/threads.lua [PORT [WORKERS]]     then: curl http://127.0.0.1:8080/

local green = require "green"

local FOLDER = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
package.path = FOLDER .. "/?.lua;" .. package.path -- the workers find threads/hello.lua there

local listener = assert(green.listen("127.0.0.1", arg[1] or 8080))
local n_workers = assert(tonumber(arg[2] or 4), "WORKERS is a number")

local workers = assert(green.workers(n_workers, "threads.hello",
  { listen = listener, signals = true }))
print(("threads: serving on http://127.0.0.1:%d"):format(select(2, listener:sockname())))
assert(workers:wait())
