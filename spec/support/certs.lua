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

-- Chains, good and bad, for who asks for them: `certs.chain "deep"`. A name's .pem has the
-- leaf (for NAME.test unless said otherwise) with its issuers behind it.
local CHAINS = [[
set -e; cd "$1"; exec 2>>log
key() { [ -f "$1.key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
  -out "$1.key"; }
PAST=200101000000Z; LAPSED=210101000000Z; FUTURE=450101000000Z; FAR=460101000000Z
printf '%s\n' '[ca]' default_ca=d '[d]' database=db crlnumber=num default_md=sha256 \
  rand_serial=yes new_certs_dir=. policy=p copy_extensions=copy unique_subject=no '[p]' \
  commonName=supplied >ca.cnf
: >db; echo 01 >num
# issue ISSUER NAME CN EXTENSIONS [OPTION...]: NAME.one, by openssl ca
issue() { ca=$1 name=$2 cn=$3 ext=$4; shift 4; key "$name"
  openssl req -new -key "$name.key" -subj "/CN=$cn" -out "$name.csr"
  printf "$ext\n" >"$name.ext"
  case " $* " in *' -enddate '*) ;; *) set -- "$@" -days 20 ;; esac
  openssl ca -config ca.cnf -batch -notext -cert "$ca.one" -keyfile "$ca.key" -in "$name.csr" \
    -extfile "$name.ext" -out "$name.one" "$@" >>log; }
# chain NAME ISSUER...: NAME.pem
chain() { leaf=$1; cp "$1.one" "$1.pem"; shift; for c; do cat "$c.one"; done >>"$leaf.pem"; }
root() { key "$1"; openssl req -new -x509 -key "$1.key" -subj "/CN=$2" -days 30 -out "$1.one" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  cp "$1.one" "$1.pem"; }
CA='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign'
SAN=subjectAltName=DNS
cp ca.pem ca.one
root other 'Other Root'

# A long chain: m1 .. m5, and a leaf below each.
above=ca behind=
for i in 1 2 3 4 5; do
  issue $above m$i "Middle $i" "$CA"
  issue m$i deep$i deep$i.test $SAN:deep$i.test
  above=m$i behind="m$i $behind"
  chain deep$i $behind
done
cp deep1.key alone.key; cp deep1.one alone.pem
# The root's key under another root, too.
openssl req -new -key ca.key -subj '/CN=Test Root' -out cross.csr; printf "$CA" >cross.ext
openssl ca -config ca.cnf -batch -notext -cert other.one -keyfile other.key -in cross.csr \
  -extfile cross.ext -days 20 -out cross.one >>log
cp deep1.key crossed.key; cat deep1.one m1.one cross.one >crossed.pem

# Dates.
issue ca late late.test $SAN:late.test -startdate $PAST -enddate $LAPSED; chain late
issue ca early early.test $SAN:early.test -startdate $FUTURE -enddate $FAR; chain early
issue ca oldm 'Old Middle' "$CA" -startdate $PAST -enddate $LAPSED
issue oldm lateissuer lateissuer.test $SAN:lateissuer.test; chain lateissuer oldm
key oldroot; openssl req -new -key oldroot.key -subj '/CN=Old Root' -out oldroot.csr
printf "$CA" >oldroot.ext
openssl ca -config ca.cnf -batch -notext -selfsign -keyfile oldroot.key -in oldroot.csr \
  -extfile oldroot.ext -startdate $PAST -enddate $LAPSED -out oldroot.one >>log
cp oldroot.one oldroot.pem
issue oldroot lateroot lateroot.test $SAN:lateroot.test; chain lateroot

# Names.
issue ca cn cn.test keyUsage=digitalSignature; chain cn
issue ca partial x $SAN:f*.p.test,DNS:*.w.test; chain partial
issue ca ipname x $SAN:127.0.0.1,DNS:a.test; chain ipname
issue ca idn x $SAN:xn--bcher-kva.test,DNS:UPPER.test; chain idn
issue ca nc 'Constrained' \
  "$CA\nnameConstraints=critical,permitted;DNS:ok.test,excluded;DNS:bad.ok.test"
issue nc inside x $SAN:in.ok.test; chain inside nc
issue nc outside x $SAN:out.test; chain outside nc
issue nc excluded x $SAN:x.bad.ok.test; chain excluded nc

# Who may do what.
issue ca asclient x "$SAN:asclient.test\nextendedKeyUsage=clientAuth"; chain asclient
issue ca asserver x "$SAN:asserver.test\nextendedKeyUsage=serverAuth"; chain asserver
issue ca signonly x "$SAN:signonly.test\nkeyUsage=keyCertSign"; chain signonly
issue ca fake 'No Authority' "basicConstraints=CA:FALSE\n$SAN:fake.test"
issue fake underfake x $SAN:underfake.test; chain underfake fake
issue ca short 'Short' 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign'
issue short short2 'Too Deep' "$CA"
issue short2 toodeep x $SAN:toodeep.test; chain toodeep short2 short
issue other stranger stranger.test $SAN:stranger.test; chain stranger

# Many, and large ones.
cp deep1.key many.key; cp deep1.pem many.pem
for i in 1 2 3 4 5 6 7 8 9 10; do
  for k in 1 2 3 4 5 6 7 8 9 10; do cat m2.one; done >>many.pem
done
issue ca large x "$SAN:large.test\nnsComment=$(head -c 30000 /dev/zero | tr '\0' x)"
chain large large large large large large large

# Weak ones.
rsa() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:$2 -out "$1.key"; }
rsa rsaroot 2048; root rsaroot 'RSA Root' # which can sign by MD5
weak() { rsa "$1" $2; issue rsaroot "$1" x "$SAN:$1.test" -md $3; chain "$1"; }
weak rsa1024 1024 sha256; weak sha1 2048 sha1; weak md5 2048 md5

# Revocations: of leaf and issuer.
issue ca gone gone.test $SAN:gone.test; chain gone
issue ca gonem 'Gone Middle' "$CA"; issue gonem undergone x $SAN:undergone.test
chain undergone gonem
for c in gone gonem; do
  openssl ca -config ca.cnf -batch -cert ca.one -keyfile ca.key -revoke $c.one >>log
done
crl() { to=$1 by=$2; shift 2; openssl ca -config ca.cnf -cert "$by.one" -keyfile "$by.key" \
  -gencrl -out "$to.crl" "$@" >>log; }
crl ca ca -crldays 10; crl gonem gonem -crldays 10; crl m1 m1 -crldays 10
crl lapsed ca -crl_lastupdate $PAST -crl_nextupdate $LAPSED
]]

local folder, has_chains

local function run_script(script, path)
  local name = path .. "/make.sh"
  local file = assert(io.open(name, "w"))
  file:write(script)
  file:close()
  if os.execute(("sh '%s' '%s'"):format(name, path)) ~= 0 then
    os.execute(("tail -n 20 '%s/log' >&2"):format(path))
    error("openssl could not make certificates", 0)
  end
end

local function make()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  run_script(SCRIPT, path)
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

--- The path of one of the files of CHAINS, which has many more.
function M.chain(name)
  local path = M.path(name)
  if not has_chains then
    run_script(CHAINS, folder)
    has_chains = true
  end
  return path
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
