--- Assertions and helpers that the checks of green.testing.check_stream share. Private.
-- @module green.testing.check

local thread = require "green.thread"

local M = {}

local function show(value)
  if type(value) ~= "string" then
    return tostring(value)
  elseif #value > 60 then
    return ("%q... (%d bytes)"):format(value:sub(1, 60), #value)
  end
  return ("%q"):format(value)
end

--- Raise unless got is want.
function M.is(got, want, what)
  if not rawequal(got, want) then
    error(("%s: expected %s, got %s"):format(what or "result", show(want), show(got)), 2)
  end
end

--- Raise unless the condition is true.
function M.ok(condition, what)
  if not condition then
    error(what, 2)
  end
end

--- Raise unless the results are nil and an error with one of the codes.
-- @return the error
function M.fails(codes, value, err)
  if value ~= nil then
    error(("expected %s, got %s"):format(codes, show(value)), 2)
  end
  for code in codes:gmatch("%S+") do
    if err and err:is(code) then
      return err
    end
  end
  error(("expected %s, got the error %s"):format(codes, tostring(err)), 2)
end

--- Raise unless the results say "end of stream": nil and nothing else.
function M.ends(value, err)
  M.is(value, nil, "value at the end")
  M.is(err, nil, "error at the end")
end

--- Start fn and let it come to where it waits.
function M.start(fn, ...)
  local t = thread.spawn(fn, ...)
  M.pause()
  return t
end

--- Time for others to come to where they wait, on either clock.
function M.pause()
  thread.sleep(0.002)
end

--- A string of n bytes that does not repeat soon.
function M.pattern(n)
  local unit = {}
  for i = 1, 251 do
    unit[i] = string.char((i * i * 31 + i) % 256)
  end
  unit = table.concat(unit)
  return (unit:rep(math.ceil(n / #unit)):sub(1, n))
end

--- Write everything, piece by piece, giving others a turn in between.
function M.write_pieces(stream, pieces)
  for _, piece in ipairs(pieces) do
    assert(stream:write(piece))
    thread.sleep(0)
  end
end

return M
