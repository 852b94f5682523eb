-- An HTTPS server, with the certificate that is given, or one that it makes for itself.
--
--   greenlua examples/https.lua [PORT [CERT KEY]]     then: curl -k https://127.0.0.1:8443/
--
-- Its own is made by the openssl command, for localhost and a week; no client believes it
-- (curl: -k). A browser's comes from an authority: see the command certbot.
local green = require "green"
local wsgi = require "green.wsgi"

local port, cert, key = arg[1] or 8443, arg[2], arg[3]

--- A certificate in a folder that goes away with the program.
local function make()
  local pipe = assert(io.popen("mktemp -d"))
  local folder = assert(pipe:read("*l"), "no temporary folder")
  pipe:close()
  green.at_exit(function() os.execute("rm -rf '" .. folder .. "'") end)
  local done = os.execute(([[openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
    -nodes -days 7 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout '%s/key.pem' -out '%s/cert.pem' 2>'%s/log']]):format(folder, folder, folder))
  assert(done == 0 or done == true, "the openssl command could not make a certificate")
  return folder .. "/cert.pem", folder .. "/key.pem"
end

local function app(env)
  return 200, { ["Content-Type"] = "text/plain" }, ("hello over %s, %s\n"):format(
    env.SSL_PROTOCOL, env.SSL_CIPHER)
end

if not cert then
  cert, key = make()
end

assert(wsgi.serve("127.0.0.1:" .. port, app, {
  tls = { cert = cert, key = key },
  log = io.stdout,
  signals = true,
}))
