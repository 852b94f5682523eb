--- A body that goes on being sent while its answer comes back. Private to green.http.
--
-- What is forwarded is read from one peer and sent to another: where that has to wait, a green
-- thread of its own does it, and who forwards waits for that or for an answer. One below 300
-- leaves the thread at work; what it has not sent when the answer is over is not sent.
-- @module green.http.upload

local bodies = require "green.http.body"
local core = require "green.core"
local crowds = require "green.net.crowd"
local exits = require "green.thread.exits"
local places = require "green.http.places"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, setmetatable, xpcall = error, setmetatable, xpcall

local now_of, codes = core.now, core.codes
local ECANCELED, ETIMEDOUT = codes.ECANCELED, codes.ETIMEDOUT
local GO_ON = 2

local methods = {}
local mt = { __index = methods }

--- What the thread does. A body that fails leaves nothing to answer; who reads the answer finds
-- the connection closed then.
local function send(self)
  local ok, status = xpcall(bodies.send_pieces, thread.note_traceback, self.conn, self.body,
    self.seconds, self.due)
  self.status = ok and status or ECANCELED
  if not ok then
    self.problem = status
    places.drop(self.conn)
  end
end

local function send_ends(self)
  self.is_over = true
end

local function wait_for_news(self)
  return self.conn.stream:_wait(core.WATCH)
end

local function news_end(self, status)
  self.watches, self.news = false, true
  self.is_blind = not status or status < 0 -- never twice: it would go round in circles
end

--- Let the answer be looked for, unless somebody does, or nobody need.
function methods:watch()
  if not (self.watches or self.is_blind or self.conn.is_answered) then
    self.watches = true
    self.crowd:add(wait_for_news, news_end, self)
  end
end

--- 0: the body has left; 1: it is of no more use; GO_ON: the answer has come, and the thread
-- goes on; or a negative status. Raises what the body has raised. Parks.
function methods:wait()
  local conn = self.conn
  repeat
    self:watch()
    self.crowd:wait(self.due)
    if self.is_over then
      return self.problem and error(self.problem, 0) or self.status or ECANCELED
    elseif self.news then
      self.news = false
      if conn:has_answer() then
        return 1
      elseif conn.is_answered and not conn.head.tunnel then
        return GO_ON
      end
    end
  until self.due and now_of() >= self.due
  return ETIMEDOUT
end

--- Whatever the thread has not sent is of no use. Has all of it left? Does not park.
function methods:stop()
  self.crowd:close()
  exits.release(self)
  return self.status == 0
end

--- Wait until the thread has ended. Parks.
function methods:join()
  while not self.is_over do
    self.crowd:wait()
  end
end

--- The thread that waited was abandoned.
function methods:_exit()
  self.crowd:close()
  places.drop(self.conn)
end

local function new(conn, body, seconds, due)
  local self = setmetatable({ conn = conn, body = body, seconds = seconds, due = due,
    crowd = crowds.new(), status = false, is_over = false, watches = false, news = false,
    is_blind = false }, mt)
  exits.hold(self)
  return self
end

local M = { GO_ON = GO_ON }

--- What the body has raised, if it has.
function M.problem(conn)
  return conn.upload and conn.upload.problem
end

--- Send the body of a request that is forwarded, as the wait above: after GO_ON the connection
-- has it as `upload`, until finish or stop. Parks.
function M.send(conn, body, seconds, due)
  core.waiter() -- where that raises, no thread is started
  conn.upload = new(conn, body, seconds, due)
  conn.upload.crowd:add(send, send_ends, conn.upload)
  local status = conn.upload:wait()
  exits.release(conn.upload)
  return status
end

--- Nobody wants more of the answer. Does not park. Idempotent.
function M.stop(conn)
  local self = conn.upload
  if self then
    conn.upload = false
    self:stop()
  end
end

--- The answer is over. Had all of the body left before? Parks.
function M.finish(conn)
  local self = conn.upload
  if not self then
    return true
  end
  conn.upload = false
  local is_sent = self:stop()
  self:join()
  return is_sent
end

return M
