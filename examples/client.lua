-- A client: sends each of the lines it is given and prints the line that comes
-- back. Gives up when a server says nothing for five seconds.
--
--   greenlua examples/client.lua 127.0.0.1:7000 hello "and again"

local green = require "green"

local function run(target, ...)
  local conn = assert(green.connect(target, { timeout = 5 }))
  conn:settimeout(5)
  for _, line in ipairs({ ... }) do
    assert(conn:write(line, "\n"))
    print(assert(conn:read_line()))
  end
  conn:close()
end

if #arg < 2 then
  print("usage: greenlua examples/client.lua HOST:PORT LINE...")
  os.exit(2)
end
local ok, err = pcall(run, unpack(arg))
if not ok then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end
