-- Tutorial, step 2: a client. Asks web servers for their first line, all at once.
--
--   greenlua examples/tutorial/2_client.lua example.org:80 example.net:80

local green = require "green"

local function first_line(target)
  local conn, err = green.connect(target, { timeout = 5 })
  if not conn then
    return nil, err
  end
  conn:write("HEAD / HTTP/1.1\r\nHost: ", target, "\r\nConnection: close\r\n\r\n")
  local line
  line, err = conn:read_line()
  conn:close()
  return line, err
end

local threads = {}
for i, target in ipairs(arg) do
  threads[i] = green.spawn(first_line, target)
end
for i, target in ipairs(arg) do
  local line, err = threads[i]:wait()
  print(target, line or tostring(err))
end
