-- What a TLS server shows: its certificate, what was agreed, and the first line of its
-- answer to an HTTP request.
--
--   greenlua examples/tls_client.lua HOST[:PORT] [CA-FILE]

local green = require "green"

local host, port = (arg[1] or "localhost:7443"):match("^(.-):?(%d*)$")
local conn, err = green.connect(host, tonumber(port) or 443, {
  timeout = 10,
  tls = { ca = arg[2], alpn = { "http/1.1" } },
})
if not conn then
  print(err)
  os.exit(1)
end

local info, cert = conn:info(), conn:peer_certificate()
print(("%s, %s, %s"):format(info.version, info.cipher, info.alpn or "no protocol named"))
print("subject  " .. cert.subject)
print("issuer   " .. cert.issuer)
print("until    " .. cert.not_after)
print("names    " .. table.concat(cert.names, ", "))

conn:write("GET / HTTP/1.1\r\nHost: ", host, "\r\nConnection: close\r\n\r\n")
print("answer   " .. tostring(conn:read_line { timeout = 5 }))
conn:close()
