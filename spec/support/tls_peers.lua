-- Other programs that speak TLS, beside ours: openssl s_client and s_server, curl, gnutls-cli
-- and gnutls-serv. All of them come with tools/install-deps; one that is missing is an error.
local certs = require "spec.support.certs"
local green = require "green"
local program = require "spec.support.program"

local M = {}

local REQUEST = "GET / HTTP/1.0\r\n\r\n"
M.REQUEST = REQUEST

for name, package in pairs { openssl = "openssl", curl = "curl", ["gnutls-cli"] = "gnutls-bin",
  ["gnutls-serv"] = "gnutls-bin" } do
  if os.execute("command -v " .. name .. " >/dev/null") ~= 0 then
    error(("there is no %s: apt-get install %s, or tools/install-deps test"):format(name, package),
      0)
  end
end

-- -- Our ends -------------------------------------------------------------------

-- It answers with what was agreed, and prints why a client failed.
local SERVER = [[
  local green, tls = require "green", require "green.tls"
  local opts = loadstring(arg[1])()
  if opts.names then
    for name, own in pairs(opts.names) do
      own.server = true
      opts.names[name] = assert(tls.context(own))
    end
  end
  function opts.on_failure(err) print("failed: " .. tostring(err)) io.flush() end
  local l = assert(green.listen "127.0.0.1:0")
  print(select(2, l:sockname()))
  io.flush()
  green.serve(l, function(conn)
    if not conn:read_until "\r\n\r\n" then return end
    local info, cert = conn:info(), conn:peer_certificate()
    conn:write("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", "over ", info.version, " ",
      info.alpn or "-", " ", info.server_name or "-", " ", cert and cert.subject or "-", " ",
      tostring(info.resumed), "\n")
  end, { tls = opts })
]]

-- It asks for a page so many times, and prints what came of each.
local CLIENT = [[
  local green = require "green"
  local opts = loadstring(arg[2])()
  for _ = 1, opts.times or 1 do
    opts.times = nil
    local conn, err = green.connect("127.0.0.1", tonumber(arg[1]), { timeout = 20, tls = opts })
    if conn then
      local text
      conn:write "GET / HTTP/1.0\r\n\r\n"
      text, err = conn:read_all()
      local info = conn:info()
      print(info and info.version, info and info.cipher, info and info.alpn,
        info and info.resumed and "resumed" or "full", text and text:match "HTTP/1.0 200" or
        "no page")
      conn:close()
    end
    if err then print(err) print("alert", err.alert, err.alert_name) end
  end
]]

local function source(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, one in pairs(value) do
    parts[#parts + 1] = ("[%s]=%s"):format(source(key), source(one))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function stopped(server, ok, err)
  server:kill(15)
  server:wait()
  if not ok then
    error(("%s\nthe server wrote:\n%s\n%s"):format(tostring(err), server.out, server.err), 0)
  end
end

--- Run body(port, server) beside our server with these options of tls.server.
function M.with_server(opts, body)
  local script = program.file(SERVER)
  local server = program.start_greenlua { script, "return " .. source(opts) }
  local port = server:expect("\n")
  stopped(server, pcall(body, port, server))
  os.remove(script)
  assert(server.err == "", server.err)
end

--- What our client prints at that port, with these options of tls.client and `times`.
function M.client(port, opts)
  local script = program.file(CLIENT)
  local run = program.run_greenlua { script, port, "return " .. source(opts) }
  os.remove(script)
  return run.out .. run.err
end

-- -- Their clients ----------------------------------------------------------------

local function with_words(argv, words)
  for _, word in ipairs(words) do
    argv[#argv + 1] = word
  end
  return argv
end

local function told(argv)
  argv.input = REQUEST
  local run = program.run(argv)
  return run.out .. run.err, run.status
end

--- openssl's client, for that name (default a.test). What it prints, its status.
function M.s_client(port, words)
  local name = words.name or "a.test"
  return told(with_words({ "openssl", "s_client", "-connect", "127.0.0.1:" .. port, "-servername",
    name, "-verify_hostname", name, "-verify_return_error", "-CAfile",
    words.ca or certs.path "ca.pem", "-ign_eof" }, words))
end

function M.curl(port, words)
  local name = words.name or "a.test"
  return told(with_words({ "curl", "-sS", "--max-time", "20", "--cacert",
    words.ca or certs.path "ca.pem", "--resolve", ("%s:%s:127.0.0.1"):format(name, port),
    ("https://%s:%s/"):format(name, port) }, words))
end

function M.gnutls_cli(port, words)
  local name = words.name or "a.test"
  return told(with_words({ "gnutls-cli", "--x509cafile", words.ca or certs.path "ca.pem",
    "--sni-hostname", name, "--verify-hostname", name, "-p", port, "127.0.0.1" }, words))
end

-- -- Their servers ----------------------------------------------------------------

--- Run body(port, server) beside openssl's, which answers with a page.
function M.with_s_server(words, body)
  local server = program.start(with_words({ "openssl", "s_server", "-accept", "127.0.0.1:0",
    "-cert", certs.path "a.pem", "-key", certs.path "a.key", "-www" }, words))
  server:expect "ACCEPT 127.0.0.1:"
  stopped(server, pcall(body, server:expect "\n", server))
end

local function free_port()
  local l = assert(green.listen "127.0.0.1:0")
  local _, port = l:sockname()
  l:close()
  return tostring(port)
end

--- The same beside GnuTLS's.
function M.with_gnutls_serv(words, body)
  local port = free_port()
  local server = program.start(with_words({ "gnutls-serv", "--http", "-p", port,
    "--x509certfile", certs.path "a.pem", "--x509keyfile", certs.path "a.key", "--x509cafile",
    certs.path "ca.pem" }, words))
  server:expect("...done", "err")
  stopped(server, pcall(body, port, server))
end

return M
