-- Certificates for specs, made by the openssl command in a folder that goes away with the
-- program: `certs.path "a.pem"`. "ca" has signed "a" (a.test, *.w.test, 127.0.0.1, ::1), "client",
-- "old" (expired), "soon" (three days left), "rsa" and "ed" (a.test, by kind of key); "self" has
-- signed itself. "locked.key" is a's with the password "secret", "a.p12" both with it, "a.ocsp"
-- an answer about a, "NAME.pin" the pin of a, b, client.
local M = {}

local SCRIPT = [[
set -e; cd "$1"; exec 2>log
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
sign() { name=$1 subject=$2 ext=$3; shift 3; [ -f "$name.key" ] || key "$name"
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
sign soon /CN=soon.test subjectAltName=DNS:soon.test -days 3
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
openssl genpkey -algorithm ED25519 -out ed.key
sign rsa /CN=rsa subjectAltName=DNS:a.test -days 20
sign ed /CN=ed subjectAltName=DNS:a.test -days 20
openssl pkcs12 -export -in a.pem -inkey a.key -passout pass:secret -out a.p12
printf 'V\t300101000000Z\t\t%s\tunknown\t/CN=a\n' \
  "$(openssl x509 -in a.pem -noout -serial | sed 's/.*=//')" >index
openssl ocsp -issuer ca.pem -cert a.pem -no_nonce -reqout request >/dev/null
openssl ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key -reqin request \
  -respout a.ocsp -ndays 5 >/dev/null
for name in a b client; do
  printf 'sha256//%s' "$(openssl x509 -in $name.pem -noout -pubkey |
    openssl pkey -pubin -outform der | openssl dgst -sha256 -binary |
    openssl base64 -A)" >"$name.pin"
done
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

--- What is in one of the files.
function M.text(name)
  local file = assert(io.open(M.path(name), "rb"))
  local all = file:read("*a")
  file:close()
  return all
end

--- Put another there, as careful programs do: it is one or the other at any time.
function M.put(name, text)
  local file = assert(io.open(M.path(name .. ".new"), "wb"))
  file:write(text)
  file:close()
  assert(os.rename(M.path(name .. ".new"), M.path(name)))
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
