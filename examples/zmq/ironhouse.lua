-- CURVE: nobody reads along, each end knows who the other is, and strangers are not let in.
--
--     greenlua examples/zmq/ironhouse.lua                      all in one process, with new keys
--     greenlua examples/zmq/ironhouse.lua keys FOLDER          or: keys in files, for each once
--     greenlua examples/zmq/ironhouse.lua server FOLDER tcp://127.0.0.1:9000
--     greenlua examples/zmq/ironhouse.lua client FOLDER tcp://127.0.0.1:9000 ann
--
-- The server has server.key_secret, and in FOLDER/clients the public keys of whom it lets in. A
-- client has the server's public key, and its own NAME.key_secret, which leaves its machine never.

local green = require "green"
local fs = require "green.fs"
local zmq = require "green.zmq"

local CLIENTS = { "ann", "bob" }

local function make_keys(folder)
  assert(fs.mkdir(folder .. "/clients", { parents = true }))
  assert(zmq.create_certificates(folder, "server"))
  for _, name in ipairs(CLIENTS) do
    assert(zmq.create_certificates(folder, name))
    local key = name .. ".key"
    assert(fs.rename(folder .. "/" .. key, folder .. "/clients/" .. key))
  end
  assert(zmq.create_certificates(folder, "eve")) -- whose public key the server does not get
end

local function server(folder, endpoint)
  local auth = assert(zmq.auth())
  assert(auth:configure_curve("*", folder .. "/clients")) -- "*": whatever the sockets' domain is
  local public, secret = assert(zmq.load_certificate(folder .. "/server.key_secret"))
  local s = zmq.socket(zmq.REP, {
    curve_server = true, curve_publickey = public, curve_secretkey = secret,
  })
  assert(s:bind(endpoint))
  print("serving on " .. s.last_endpoint)
  return s, green.spawn(function()
    for message in s:messages() do
      assert(s:send("a secret for " .. message[1]))
    end
  end)
end

local function client(folder, endpoint, name)
  local public, secret = assert(zmq.load_certificate(("%s/%s.key_secret"):format(folder, name)))
  local s = zmq.socket(zmq.REQ, {
    curve_serverkey = assert(zmq.load_certificate(folder .. "/server.key")),
    curve_publickey = public, curve_secretkey = secret,
  })
  assert(s:connect(endpoint))
  assert(s:send(name, 5))
  local answer, err = s:recv(2)
  s:close(0)
  print(answer or ("%s gets nothing: %s"):format(name, err))
  return answer ~= nil
end

if arg[1] == "keys" then
  make_keys(arg[2])
elseif arg[1] == "server" then
  local _, thread = server(arg[2], arg[3])
  thread:wait()
elseif arg[1] == "client" then
  os.exit(client(arg[2], arg[3], arg[4]) and 0 or 1)
else
  local folder = assert(fs.tempdir())
  green.finally(function()
    make_keys(folder)
    local s = server(folder, "tcp://127.0.0.1:*")
    for _, name in ipairs { "ann", "bob", "eve" } do
      client(folder, s.last_endpoint, name)
    end
  end, function() fs.remove(folder) end)
end
