--- Native threads that run Lua: `tpool.execute(fn, ...)` calls a function in one of them,
-- and the green thread that called waits; the others go on.
--
-- Each native thread has a Lua state of its own: the function, its upvalues, its arguments
-- and its results cross by value. What can cross is told in docs/modules/tpool.md.
-- @module green.tpool

local core = require "green.core"
local args = require "green.args"
local channels = require "green.tpool.channel"
local pools = require "green.tpool.pool"
local proxies = require "green.tpool.proxy"
local shares = require "green.tpool.share"

local execute = pools.execute

local THREADS = 4 -- of a pool of one's own

local M = {}

local default

--- The pool that `execute` uses: it shares its threads with all the process's.
local function get()
  if not default then
    default = pools.new(nil, {})
    if tonumber(core.env("GREENLUA_THREADS") or 1) == 0 then
      default:set_num_threads(0)
    end
  end
  return default
end

--- Call fn(...) in a native thread. Inside of one, and with 0 threads, it is called straight
-- on. A timeout or a kill around it ends the wait at once; the job is told to stop. Parks.
-- @tparam function fn it crosses with its upvalues
-- @param ... what it gets
-- @return what fn returned; what fn raised is raised, with its fields, and the traceback of
-- both sides in reports. Raises what cannot cross, by its path; ELOST: too many jobs would
-- not stop; ENOMEM
function M.execute(fn, ...)
  return execute(default or get(), fn, ...)
end

--- fn of each element of a list, in native threads; a list of the first results. Parks.
-- @tparam function fn
-- @param list or a function that gives the next element and nil at the end
-- @tparam[opt] table opts `size`: calls at once, at most (8)
function M.map(fn, list, opts)
  return get():map(fn, list, opts)
end

--- The same as an iterator over `index, results...`, in the order of the list. Does not park;
-- the loop does.
function M.imap(fn, list, opts)
  return get():imap(fn, list, opts)
end

--- The shared pool with options of one's own. Does not park.
-- @tparam table opts `killable` true: nothing is compiled meanwhile, so that loops can be
-- stopped, too; `affinity` true: all jobs of a green thread run in the same native one;
-- `grace`: seconds a job has to stop when nobody waits any more, before its thread counts as
-- lost (1)
-- @return an object with `execute`, `map`, `imap`
function M.with(opts)
  return get():with(opts)
end

--- A pool with native threads of its own. Does not park.
-- @tparam[opt] table opts as of `with`; `threads` at most (4); `init`: a function that each
-- thread calls before its first job
function M.pool(opts)
  opts = pools.check(opts, pools.pool_options, "pool")
  if opts.init ~= nil then
    args.callable(opts.init, "pool", "init")
  end
  local threads = opts.threads == nil and THREADS
    or args.integer(opts.threads, 1, "pool", "threads", 1024)
  return pools.new(threads, opts)
end

--- Let a module, a function or another value that crosses live in one native thread: calls,
-- methods, properties, iterators are done there, and what comes out and cannot cross (userdata,
-- functions, tables with metatables) stays there and is a proxy, too. Objects that cannot cross
-- are to be made there: proxy the module that makes them. Parks, and so does each use.
-- @param what
-- @tparam[opt] table opts `autowrap`: names of methods whose tables stay there, too
-- @return the proxy
function M.Proxy(what, opts)
  return proxies.new(what, opts)
end

--- Is it what Proxy, or a proxy, has given? Does not park.
M.is_proxy = proxies.is_proxy

--- A bounded queue between native threads. Does not park.
-- @tparam[opt=100] number capacity
M.channel = channels.channel

--- Read-only data for all native threads, packed once: see green.tpool.share. Does not park.
M.share = shares.share

--- An iterator over the keys and values of shared data. Does not park.
M.each = shares.each

--- A table of its own with all entries of shared data. Does not park.
M.unshare = shares.unshare

--- Run at most that many native threads for `execute`, before its first job or after
-- killall. Does not park.
-- @tparam number n 0: jobs run on the loop's own thread, and a warning says so once; a
-- negative one is an error of the first job
function M.set_num_threads(n)
  get():set_num_threads(n)
end

--- Let all jobs be done and their results be delivered, and end the threads; new ones come
-- with the next job. Parks.
function M.killall()
  get():killall()
  proxies.killall()
end

--- What there is: `threads`, `idle`, `queued` (jobs in line), `pending` (under way in all).
function M.stats()
  return get():stats()
end

--- Take an open stream or file from here, to hand it to a native thread: a token, which is
-- what x was where it arrives, once, with the bytes that x had read. x is closed here from
-- then on. Does not park.
-- @param x a socket, a TLS connection over one whose handshake is done, a pipe of green.pipe or
-- green.process, a file of green.fs or io.open, a pipe of io.popen
-- @return the token. Raises where a green thread waits for x, by its name, and where x cannot
-- go; raises ENOMEM
function M.move(x)
  return require("green.tpool.move").move(x)
end

--- Does this code run in a native thread's state?
M.inside = core.inside

--- The number that the system has for this native thread.
M.thread_id = core.thread_id

return M
