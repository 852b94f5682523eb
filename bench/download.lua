-- A long answer, thrown away as it comes: download.lua PORT [chunks]
--
-- Saved into /dev/null; with "chunks" as strings, by a loop over them.
local http = require "green.http"

local resp = assert(http.get("http://127.0.0.1:" .. arg[1] .. "/", { stream = true }))
if arg[2] then
  local sink = assert(io.open("/dev/null", "w"))
  sink:setvbuf "no" -- one write a piece
  for chunk in resp:chunks() do
    assert(sink:write(chunk))
  end
else
  assert(resp:save("/dev/null"))
end
