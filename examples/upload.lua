-- Sends an upload back while it comes, chunk by chunk: however large it is, no more
-- than a piece of it is in memory. A client that stops reading stops the upload.
--
--   greenlua examples/upload.lua [PORT]
--   curl -T big.file -H 'Transfer-Encoding: chunked' http://127.0.0.1:8080/ | cmp - big.file
local wsgi = require "green.wsgi"

local function app(env)
  if env.REQUEST_METHOD ~= "POST" and env.REQUEST_METHOD ~= "PUT" then
    return 405, { Allow = "POST, PUT" }, "send me something\n"
  end
  local headers = { ["Content-Type"] = env.CONTENT_TYPE or "application/octet-stream" }
  return 200, headers, env.input:chunks()
end

assert(wsgi.serve("127.0.0.1:" .. (arg[1] or 8080), app, { max_body = false, log = io.stdout }))
