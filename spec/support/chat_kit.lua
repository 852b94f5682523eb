-- examples/chat as a program of its own, and people who talk to it over green.websocket.

local green = require "green"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local url = require "green.url"
local websocket = require "green.websocket"

local M = {}

local WAIT = 60 -- seconds that anything may take at most

-- -- The server -------------------------------------------------------------------

--- Start a chat; `address` ("127.0.0.1:0") and more words. It serves when this returns: the
-- program, and "127.0.0.1:PORT".
function M.start(address, ...)
  local chat = program.start { program.greenlua, "examples/chat/chat.lua",
    address or "127.0.0.1:0", ... }
  chat:expect "serving on http://"
  return chat, (chat:expect "/\n")
end

function M.stop(chat)
  if not chat:poll() then
    chat:kill(program.TERM)
    M.await("the end of the chat", function() return chat:listen(0):poll() end)
  end
  return chat:wait()
end

--- Run body(target, chat) beside a chat. Parks.
function M.beside(words, body)
  local chat, target = M.start(nil, unpack(words))
  local ok, err = patient.try(body, target, chat)
  M.stop(chat)
  if not ok then
    error(tostring(err) .. "\n" .. chat.err, 0)
  end
  assert(chat.status == 0 and chat.err == "", chat.err)
end

--- Wait until holds() gives something, which is returned. Parks.
function M.await(what, holds)
  local due = green.now() + WAIT
  local got = holds()
  while not got do
    assert(green.now() < due, what .. " never came")
    green.sleep(0.01) -- between two looks
    got = holds()
  end
  return got
end

--- The processes that a process has started.
function M.children(pid)
  local file, list = io.open(("/proc/%d/task/%d/children"):format(pid, pid)), {}
  for word in (file and file:read "*a" or ""):gmatch "%d+" do
    list[#list + 1] = tonumber(word)
  end
  if file then file:close() end
  return list
end

-- -- People -----------------------------------------------------------------------

local person = {}
person.__index = person

--- Send a form, or a text as it is.
function person:send(form)
  return assert(self.ws:send(type(form) == "table" and url.query(form) or form))
end

--- The next message with that op; those before it are passed over. Parks.
function person:expect(op)
  while true do
    local text, err = self.ws:recv(WAIT)
    local form = assert(url.parse_query(assert(text, ("%s: no %s, but %s %s"):format(self.name, op,
      tostring(err), tostring(self.ws.close_code)))))
    if form:get "op" == op then
      return form
    end
    self.passed[#self.passed + 1] = form
  end
end

--- The texts of a group's messages until it is joined, and the id of the last one.
function person:join(group, since)
  self.passed = {}
  self:send { op = "join", group = group, since = since or "0" }
  self:expect "joined"
  local texts, id = {}, since
  for _, form in ipairs(self.passed) do
    if form:get "op" == "said" and form:get "group" == group then
      texts[#texts + 1], id = form:get "text", form:get "id"
    end
  end
  return texts, id
end

--- Say something and wait until it comes back: its id. Parks.
function person:say(group, topic, text, key)
  self.said = self.said + 1
  key = key or self.name .. self.said
  self:send { op = "say", group = group, topic = topic, text = text, key = key }
  local form
  repeat
    form = self:expect "said"
  until form:get "key" == key and form:get "by" == self.name
  return form:get "id"
end

--- What is answered to a form or text: of an error code and what is wrong. Parks.
function person:refused(form)
  self:send(form)
  local problem = self:expect "error"
  return problem:get "code", problem:get "what"
end

function person:close()
  self.ws:close()
end

--- Somebody who has connected, and said hello if there is a name. Parks.
function M.person(target, name)
  local ws = assert(websocket.connect("ws://" .. target .. "/chat", {
    headers = { Origin = "http://" .. target } }))
  local self = setmetatable({ ws = ws, name = name, passed = {}, said = 0 }, person)
  if name then
    self:send { op = "hello", name = name }
    self:expect "welcome"
  end
  return self
end

return M
