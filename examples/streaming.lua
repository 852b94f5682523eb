-- An answer that comes bit by bit: the handler returns a function, and each string
-- that it returns leaves at once. It may wait as it likes in between.
--
--   greenlua examples/streaming.lua [PORT]   then: curl -N http://127.0.0.1:8080/10
local green = require "green"
local wsgi = require "green.wsgi"

local function app(env)
  local n = tonumber(env.PATH_INFO:match("^/(%d+)$")) or 5
  local i = 0
  env["green.minimum_write_chunk_size"] = 0 -- send each piece at once
  return 200, { ["Content-Type"] = "text/plain" }, function()
    if i == n then return nil end
    i = i + 1
    if i > 1 then green.sleep(0.2) end
    return ("%d of %d\n"):format(i, n)
  end
end

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app, { log = io.stdout }))
