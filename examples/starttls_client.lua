-- What a mail server offers before and after STARTTLS, and the certificate that it shows.
--
--   greenlua examples/starttls_client.lua HOST[:PORT] [CA-FILE]
--
-- The port is 25 if none is given. CA-FILE holds the authorities to believe; without it
-- these are the system's.

local green = require "green"
local tls = require "green.tls"

local host, port = (arg[1] or "localhost"):match "^(.-):?(%d*)$"

--- The lines of one answer: "250-" goes on, "250 " ends it.
local function answer(conn)
  local lines = {}
  for line in conn:lines() do
    lines[#lines + 1] = line:sub(5)
    if line:sub(4, 4) ~= "-" then
      assert(line:find "^2", line) -- the server says no
      return lines
    end
  end
  error "the server has closed the connection"
end

local function ask(conn, command)
  assert(conn:write(command, "\r\n"))
  return answer(conn)
end

local function show(title, lines)
  print(title .. "  " .. table.concat(lines, ", ", 2))
end

local plain = assert(green.connect(host, tonumber(port) or 25, { timeout = 10 }))
plain:settimeout(10)
answer(plain) -- the greeting
show("in plain ", ask(plain, "EHLO client.example"))
ask(plain, "STARTTLS")

-- From here on the stream belongs to TLS. An answer that came in plain behind the one to
-- STARTTLS is refused: somebody on the way may have put it there.
local conn = assert(tls.client(plain, { host = host, ca = arg[2], timeout = 10 }))
local info, cert = conn:info(), conn:peer_certificate()
print(("agreed     %s, %s"):format(info.version, info.cipher))
print(("shown      %s, until %s"):format(cert.subject, cert.not_after))

conn:settimeout(10)
show("over TLS ", ask(conn, "EHLO client.example"))
ask(conn, "QUIT")
conn:close()
