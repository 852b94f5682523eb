-- A small HTTP server with four faults; docs/production.md finds all of them.
--
--   greenlua --backdoor --watchdog=0.2 examples/debug/troubled.lua [PORT]
--
-- /hog computes for long, /leak forgets what it has begun, /stuck/1 and /stuck/2 take two locks,
-- each in an order of its own, /slow waits for somebody who is slow. /status tells how all is.

local green = require "green"
local log = require "green.log"
local status = require "green.status"
local wsgi = require "green.wsgi"

local TEXT = { ["Content-Type"] = "text/plain" }
local logger = assert(log.new { format = "json" })
local locks = { green.Semaphore(1), green.Semaphore(1) }
local mailbox = green.Queue() -- nobody puts anything in

local function checksum()
  local sum = 0
  for i = 1, 2e8 do
    sum = (sum + i) % 1000003
  end
  return sum
end

local function wait_for_mail()
  local mail = mailbox:get()
  return mail
end

local function transfer(from, to)
  from:acquire()
  green.sleep(1) -- here the other one runs
  to:acquire()
end

local handlers = {
  ["/hog"] = function()
    return "sum " .. checksum()
  end,
  ["/leak"] = function()
    green.spawn(wait_for_mail):name("mail")
    return "you have no mail"
  end,
  ["/stuck/1"] = function()
    transfer(locks[1], locks[2])
    return "never"
  end,
  ["/stuck/2"] = function()
    transfer(locks[2], locks[1])
    return "never"
  end,
  ["/slow"] = function()
    green.sleep(0.3) -- the database, say
    return "at last"
  end,
}

local look = status.handler()

local function app(env)
  if env.PATH_INFO:find("^/status") then
    return look(env)
  end
  local handler = handlers[env.PATH_INFO]
  if not handler then
    return 404, TEXT, "not here\n"
  end
  return 200, TEXT, handler() .. "\n"
end

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app, { log = logger, measure = true }))
