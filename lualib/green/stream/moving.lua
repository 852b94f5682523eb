--- What all streams that go to another native thread have in common. Private to the modules
-- that green.tpool.move names.
-- @module green.stream.moving

local args = require "green.args"
local gate = require "green.stream.gate"
local report = require "green.thread.report"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"

-- Scripts may put their own in their places.
local error, ipairs, pcall, tostring = error, ipairs, pcall, tostring

local M = {}

--- x cannot go for that reason.
function M.refuse(x, why)
  args.misuse("move: %s %s", tostring(x), why)
end

--- Raise where a green thread waits for the stream, which is x or below x: who, by name.
function M.refuse_held(x, stream)
  for _, side in ipairs { "_reader", "_writer" } do
    if stream[side] and gate.is_held(stream, side) then
      M.refuse(x, ("has green thread %s waiting for it"):format(report.label(stream[side])))
    end
  end
end

--- Raise where a stream that has a descriptor cannot go: somebody waits for it, or it is not open.
function M.check(x, fd)
  M.refuse_held(x, x)
  if fd < 0 then
    M.refuse(x, "is not open")
  end
end

--- Its buffered bytes and its timeout.
function M.describe(stream)
  local buf = stream._in
  return {
    rest = buf.tail > buf.head and ffi.string(buf.data + buf.head, buf.tail - buf.head) or "",
    timeout = stream._timeout,
  }
end

--- Give a new stream what describe has told. Raises the error of a code.
function M.fill(stream, what)
  if #what.rest > 0 then
    local status = buf_api.append(stream._in, what.rest, #what.rest)
    if status < 0 then
      error(require("green.error").new(status, "move"), 0)
    end
  end
  stream._timeout = what.timeout
end

--- fill(stream, what) for a new stream, which is returned. Where that raises, detach(handle) takes
-- the descriptor from it again: whoever has sent it keeps it.
function M.settle(fill, detach, handle, stream, what)
  local ok, problem = pcall(fill, stream, what)
  if not ok then
    detach(handle)
    error(problem, 0)
  end
  return stream
end

return M
