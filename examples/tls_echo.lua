-- An echo server that speaks TLS. Without a certificate it makes one for localhost.
--
--   greenlua examples/tls_echo.lua [PORT [CERT KEY]]
--   then: openssl s_client -quiet -connect 127.0.0.1:PORT

local green = require "green"

local port, cert, key = arg[1] or 7443, arg[2], arg[3]

--- A certificate of our own, good for this run.
local function make_certificate()
  local path = os.tmpname()
  local command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
    .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
    .. "-keyout %s -out %s.crt 2>/dev/null"
  assert(os.execute(command:format(path, path)) == 0, "the openssl command is missing")
  green.at_exit(function()
    os.remove(path)
    os.remove(path .. ".crt")
  end)
  print("echo: clients believe it with this file: " .. path .. ".crt")
  return path .. ".crt", path
end

local listener = assert(green.listen("127.0.0.1", port))
print(("echo: listening on %s:%d"):format(listener:sockname()))
if not cert then
  cert, key = make_certificate()
end

assert(green.serve(listener, function(client)
  for chunk in client:chunks() do
    if not client:write(chunk) then break end
  end
end, { signals = true, grace = 1, tls = {
  cert = cert, key = key,
  on_failure = function(err, address) print(tostring(address) .. ": " .. tostring(err)) end,
} }))
