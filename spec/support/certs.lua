-- Certificates for specs, made by the openssl command in a folder that goes away with the
-- program: `certs.path "a.pem"`. "ca" has signed "a" (a.test, *.w.test, 127.0.0.1, ::1), "client",
-- "old" (expired); "self" has signed itself.
local M = {}

local SCRIPT = [[
set -e; cd "$1"; exec 2>log
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
sign() { name=$1 subject=$2 ext=$3; shift 3; key "$name"
  openssl req -new -key "$name.key" -subj "$subject" -out "$name.csr"
  printf '%s' "$ext" >"$name.ext"
  openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
    -extfile "$name.ext" -out "$name.pem" "$@"; }
key ca; openssl req -new -x509 -key ca.key -subj "/CN=Test Root" -days 30 -out ca.pem \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
key self; openssl req -new -x509 -key self.key -subj "/CN=self.test" -days 30 -out self.pem \
  -addext subjectAltName=DNS:self.test
sign a /CN=a.test subjectAltName=DNS:a.test,DNS:*.w.test,IP:127.0.0.1,IP:::1 -days 20
sign b /CN=b.test subjectAltName=DNS:b.test -days 20
sign client /O=Clients/CN=alice extendedKeyUsage=clientAuth -days 20
sign old /CN=old.test subjectAltName=DNS:old.test -days -1
openssl pkcs8 -topk8 -in a.key -passout pass:secret -out locked.key
]]

local folder

local function make()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  local script = path .. "/make.sh"
  local file = assert(io.open(script, "w"))
  file:write(SCRIPT)
  file:close()
  local status = os.execute(("sh '%s' '%s'"):format(script, path))
  assert(status == 0, "openssl could not make certificates")
  return path
end

--- The path of one of the files.
function M.path(name)
  if not folder then
    folder = make()
    require("green").at_exit(function()
      os.execute("rm -rf '" .. folder .. "'")
    end)
  end
  return folder .. "/" .. name
end

--- What a server with that certificate is told.
function M.server(name, more)
  local opts = { cert = M.path(name .. ".pem"), key = M.path(name .. ".key") }
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return opts
end

--- What a client that believes our authority is told.
function M.client(host, more)
  local opts = { host = host, ca = M.path "ca.pem" }
  for key, value in pairs(more or {}) do
    opts[key] = value
  end
  return opts
end

return M
