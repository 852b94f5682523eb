--- Questions to the servers of one configuration: one a name and type, however many wait.
--
-- Each who wants an answer has a holder, core's object, of the question that all of them
-- share. Each may be killed or run out of time alone; with the last one goes the question,
-- unless its answer is kept.
-- @module green.dns.asking

local core = require "green.core"
local addr = require "green.socket.addr"
local answers = require "green.dns.answer"
local errors = require "green.error"

local ffi = require "ffi"
local api = require "green.ffi.resolver"
local lib = require "green.ffi.dns_lib"

local cast, setmetatable, tonumber = ffi.cast, setmetatable, tonumber

local EAGAIN, QUEUE = core.codes.EAGAIN, core.QUEUE
local question_t = ffi.typeof("green_question **")

local SPARE = 256 -- holders of nothing, to be used again

local M = {}
local methods = {}
local mt = { __index = methods }

--- The servers of a configuration, to be asked. servers: a list of green_addr; opts:
-- `timeout`, `tries`, `edns`, `tcp`, `rotate`, `single` (each has a port of its own), `known`
-- (how many answers are kept), `trusts` (what they say of proofs).
-- @return nil, err: ENOLIBRARY, ENOMEM, ECLOSED (the runtime ends), EINVAL
function M.new(servers, opts, op)
  local object, code = core.object("resolver")
  if not object then
    local why = code == core.codes.ENOLIBRARY and ffi.new("const char *[1]")
    if why then
      lib.load(why)
    end
    return nil, errors.new(code, op, why and ffi.string(why[0]) or nil)
  end
  local list = ffi.new("green_addr[?]", #servers)
  for i = 1, #servers do
    ffi.copy(list[i - 1], servers[i], ffi.sizeof(list[i - 1]))
  end
  local status = api.set(object, ffi.new("green_resolver_opts", {
    timeout = opts.timeout * 1e9, tries = opts.tries, edns = opts.edns,
    tcp = opts.tcp and 1 or 0, rotate = opts.rotate and 1 or 0,
    alone = opts.single and 1 or 0, known = opts.known,
  }), list, #servers)
  if status < 0 then
    core.release(object)
    return nil, errors.new(status, op)
  end
  return setmetatable({ object = object, spare = {}, n_spare = 0, texts = {},
    trusts = opts.trusts }, mt)
end

-- -- Questions ----------------------------------------------------------------

--- The green_question of a holder.
local function question(holder)
  return cast(question_t, holder)[0]
end
M.question = question

--- Is its result there?
function M.is_done(holder)
  return cast(question_t, holder)[0].result ~= EAGAIN
end

--- core's object for a question: one that was used before, or a new one.
local function new_holder(self)
  local n = self.n_spare
  if n > 0 then
    self.n_spare = n - 1
    return self.spare[n]
  end
  return core.object("question")
end

local function keep_spare(self, holder)
  local n = self.n_spare
  if n < SPARE then
    n = n + 1
    self.spare[n], self.n_spare = holder, n
  end
end

--- Ask for a name, in small letters, and a type (a number), or join who asks already; what is
-- known is there at once. Does not park.
-- @return a holder, to be left with `leave`; nil, status
function methods:join(name, kind)
  local holder, code = new_holder(self)
  if not holder then
    return nil, code
  end
  local status = api.look(holder, self.object, name, #name, kind)
  if status < 0 then
    keep_spare(self, holder)
    return nil, status
  end
  return holder
end

--- A holder for what is known, however old; or nil.
function methods:known(name, kind)
  local holder = new_holder(self)
  if holder and api.known(holder, self.object, name, #name, kind) < 0 then
    keep_spare(self, holder)
    return nil
  end
  return holder
end

--- Wait for it. 0: the result is there; or the negative status of a wait that ended before.
-- Parks.
function methods:wait(holder, deadline)
  local q = question(holder)
  while q.result == EAGAIN do
    local status = core.park(api.waiters(q), deadline, QUEUE)
    if status ~= 0 then
      return status
    end
  end
  return 0
end

--- Wait until one of two is done. 0, or as `wait`. Parks.
function methods:either(one, other, deadline)
  local a, b = question(one), question(other)
  while a.result == EAGAIN and b.result == EAGAIN do
    api.pair(a, b)
    local status = core.park(api.waiters(a), deadline, QUEUE)
    if status ~= 0 then
      return status
    end
  end
  return 0
end

--- The caller does not want it any more. Does not park.
function methods:leave(holder)
  api.forget_in(holder)
  keep_spare(self, holder)
end

--- The time, as core.now() has it, for less; -1: ask that.
function methods:now()
  return api.now(self.object)
end

--- The text of the server that a result is of, or nil.
function methods:server_of(holder)
  local i = question(holder).server
  local text = i >= 0 and self.texts[i] or nil
  local raw = not text and i >= 0 and api.server(self.object, i)
  if raw and raw ~= nil then -- NULL: it has ended
    text = addr.format(raw)
    self.texts[i] = text
  end
  return text
end

--- The entry (green.dns.answer) of a holder whose question is done; nil: there is no answer.
function methods:entry(holder, kind)
  local entry = answers.entry(question(holder), kind, self:server_of(holder))
  if entry then
    entry.proven = entry.ad and self.trusts
  end
  return entry
end

-- -- Curiosity ----------------------------------------------------------------

--- How many are asked, wait in line, and were ever sent: for tests and curiosity.
function methods:numbers()
  local s = ffi.new("green_resolver_stats")
  api.stats_get(self.object, s)
  return { out = s.out, waiting = s.waiting, channels = s.channels, sent = tonumber(s.sent) }
end

--- Whose addresses are these, and which are held to be down: a list of
-- `{ address = text, down = boolean }`.
function methods:servers()
  local list, i = {}, 0
  local raw = api.server(self.object, 0)
  while raw ~= nil do
    list[i + 1] = { address = addr.format(raw), down = api.is_down(self.object, i) ~= 0 }
    i = i + 1
    raw = api.server(self.object, i)
  end
  return list
end

return M
