-- A proxy that says what a spec wants, to a function of the library's that talks to it.

local green = require "green"
local testing = require "green.testing"

--- What open(stream, ...) gives with a proxy that says these chunks and then no more: its
-- results, what the proxy was told, and what the stream has behind the talk. Parks.
return function(chunks, open, ...)
  local here, there = testing.stream_pair()
  local peer = green.spawn(function()
    for _, chunk in ipairs(chunks) do
      there:write(chunk)
      testing.settle()
    end
    there:shutdown "write"
    return there:read_all()
  end)
  local done, err = open(here, ...)
  local rest = done and here:read_all()
  here:close()
  local told = peer:wait()
  there:close()
  return done, err, told, rest
end
