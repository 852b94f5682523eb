-- Plays the cases of spec/websocket/cases to an echo of ours: what a peer sends, what must come
-- back, and how it must end. A case is
--
--   { id, title, send = { frames and raw bytes },
--     want = { { op, payload }, ... },   what comes back, in this order; nothing else may
--     fails = code,     then the other side closes with that code, and ends the connection
--     closes = code,    the same in answer to the close frame that `send` has
--     sees = { code, reason },           what its close handler or its ws knows in the end
--     ways = { whole = true, ... },      of writing: all at once, each frame alone, byte by byte
--     talk = function(peer) }            instead of `send` and `want`
--
-- One that neither fails nor closes must survive: a goodbye follows, and must be answered.

local green = require "green"
local kit = require "spec.support.websocket_kit"

local M = {}

local ALL_WAYS = { whole = true, frames = true, bytes = true }
local BYTES_MAX = 3000 -- longer ones are not sent byte by byte

-- -- Writing --------------------------------------------------------------------

local function pause()
  green.sleep(0)
end

local writers = {}

function writers.whole(peer, list)
  peer.stream:write(peer:encode(list))
end

function writers.frames(peer, list)
  for _, f in ipairs(list) do
    if not peer:send(f) then
      return
    end
    pause()
    pause()
  end
end

function writers.bytes(peer, list)
  peer:chop(peer:encode(list), 1, pause)
end

-- -- Reading --------------------------------------------------------------------

--- Wait for the next frame, which must have that opcode. Parks.
local function expect(peer, op, what)
  local f, err = peer:read()
  if not f then
    error(("the connection ended instead of %s: %s"):format(what, tostring(err or "EOF")), 0)
  elseif f.op ~= op then
    error(("opcode %d %q instead of %s"):format(f.op, f.payload:sub(1, 40), what), 0)
  end
  return f
end
M.expect = expect

--- Raise when two values differ; long ones are told by their lengths.
local function same(what, wanted, got)
  if wanted == got then
    return
  end
  local function show(v)
    v = tostring(v)
    return #v > 60 and ("%d bytes: %q..."):format(#v, v:sub(1, 40)) or ("%q"):format(v)
  end
  error(("%s: wanted %s, got %s"):format(what, show(wanted), show(got)), 0)
end
M.same = same

--- A close frame of that code (of one of these). A server then ends the connection; a client waits
-- until we do, and has no more to say: RFC 6455 7.1.1.
local function expect_close(peer, code)
  local f = expect(peer, kit.CLOSE, "a close frame")
  local got = kit.code_of(f)
  if type(code) ~= "table" or not code[got] then
    same("close code", code, got)
  end
  if not peer.masks then
    peer.stream:shutdown "write"
  end
  peer:expect_end()
end

local function finish(case, peer)
  if case.fails or case.closes then
    expect_close(peer, case.fails or case.closes)
  else
    same("the goodbye's code", 1000, peer:goodbye(1000))
  end
end

--- Play a case over a peer. Raises if it goes otherwise. Parks.
function M.play(case, peer, way)
  local list = type(case.send) == "function" and case.send(peer) or case.send
  local writer = green.spawn(writers[way], peer, list or {})
  local ok, err = pcall(function()
    if case.talk then case.talk(peer) end
    for i, f in ipairs(case.want or {}) do
      same("what came back", f[2], expect(peer, f[1], ("answer %d"):format(i)).payload)
    end
    finish(case, peer)
  end)
  writer:kill()
  peer.stream:close()
  if not ok then
    error(err, 0)
  end
end

-- -- Many -----------------------------------------------------------------------

local function ways_of(case)
  if case.talk then return { "whole" } end
  local ways = {}
  for way in pairs(case.ways or ALL_WAYS) do
    local n = 0
    for _, f in ipairs(type(case.send) == "table" and case.send or {}) do
      n = n + (type(f) == "string" and #f or #f.payload + 8)
    end
    if way ~= "bytes" or n <= BYTES_MAX then
      ways[#ways + 1] = way
    end
  end
  table.sort(ways)
  return ways
end

M.played = { cases = 0, plays = 0 }

local function check_seen(case, seen)
  if case.sees then
    same("the code that it knows in the end", case.sees[1], seen.code)
    same("the reason that it knows in the end", case.sees[2], seen.reason or "")
  end
end

--- Play cases in all their ways; a list of what went wrong, a line each. Parks.
-- @tparam table form of spec.support.websocket_forms
function M.failures(cases, form)
  local wrong = {}
  for _, case in ipairs(cases) do
    for _, way in ipairs(ways_of(case)) do
      local ok, err = pcall(form.one, function(peer)
        M.play(case, peer, way)
      end, function(seen)
        check_seen(case, seen)
      end)
      M.played.plays = M.played.plays + 1
      if not ok then
        wrong[#wrong + 1] = ("%s (%s), %s: %s"):format(case.id, case.title, way, tostring(err))
      end
    end
    M.played.cases = M.played.cases + 1
  end
  return wrong
end

return M
