-- The broker of pub/sub over ZeroMQ, and hubs with it and without, with CURVE and PLAIN: who has no
-- key hears nothing, and is not heard.

local beside = require "spec.support.zmq_beside"
local broker = require "green.zmq.broker"
local folder = require "spec.support.folder"
local green = require "green"
local kit = require "spec.support.pubsub_kit"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local pubsub = require "green.pubsub"
local zmq = require "green.zmq"

local it = beside.settled(patient.busted())
local dir = folder.each(before_each, after_each)

local KEY, SECRET = zmq.curve_keypair() -- the servers'
local JOE, JOES = zmq.curve_keypair()
local SOON = 0.3 -- seconds in which a stranger must get nothing

local function curve(key, secret)
  return { curve_serverkey = KEY, curve_publickey = key, curve_secretkey = secret }
end

local function endpoint(name)
  return "ipc://" .. dir() .. "/" .. name
end

--- What a stranger at a broker gets: no message, and no answer.
local function check_stranger(made, options, publish)
  local sockets = {}
  for kind, where in pairs { SUB = made.pub, DEALER = made.ask, PUB = made.sub } do
    local opts = { linger = 0, handshake_ivl = 0.2 }
    for name, value in pairs(options) do
      opts[name] = value
    end
    sockets[kind] = assert(zmq.socket(kind, opts))
    assert(sockets[kind]:connect(where))
  end
  sockets.SUB:subscribe ""
  assert(sockets.DEALER:send_multipart { "green1", "1", "publish", "x", "1", "", "green:t", "t", "",
    "0", "forged" })
  assert(sockets.PUB:send_multipart("green:t\0", "forged"))
  publish()
  for _, kind in ipairs { "SUB", "DEALER" } do
    local none, err = sockets[kind]:recv_multipart(SOON)
    assert.is_nil(none)
    assert.is_true(err:is "ETIMEDOUT", kind)
  end
  for _, socket in pairs(sockets) do
    socket:close(0)
  end
end

--- Two hubs that hear each other, and strangers that hear and say nothing.
local function check(made, good, strangers)
  local one = assert(pubsub.new { zmq = { ask = made.ask, options = good } })
  local two = assert(pubsub.new { zmq = { ask = made.ask, options = good } })
  local heard = assert(one:subscribe "t")
  local n = 0
  local function publish()
    n = n + 1
    assert(two:publish("t", tostring(n)))
    assert.are.equal(tostring(n), (heard:recv(20)))
  end
  publish()
  for _, options in ipairs(strangers) do
    check_stranger(made, options, publish)
    local out = assert(pubsub.new { zmq = { ask = made.ask, options = options, timeout = SOON } })
    local id, err = out:publish("t", "forged")
    assert.is_nil(id)
    assert.is_true(err:is "ETIMEDOUT")
    kit.close(out)
  end
  publish()
  kit.close(one)
  kit.close(two)
end

--- fn(auth), with an authenticator of the process's context that is stopped behind it.
local function with_auth(fn)
  local auth = assert(zmq.auth())
  local ok, err = patient.try(fn, auth)
  auth:stop()
  assert(ok, err)
end

describe("a broker with keys", function()
  local function start(options)
    return assert(broker.start { ask = endpoint "ask", pub = endpoint "pub", sub = endpoint "sub",
      options = options })
  end

  it("serves hubs that have one, and no stranger: CURVE", function()
    with_auth(function(auth)
      assert(auth:configure_curve("*", { JOE }))
      local made = start { curve_server = true, curve_secretkey = SECRET }
      check(made, curve(JOE, JOES), { curve(zmq.curve_keypair()), {} })
      made:close()
      kit.eventually(function() return made.left == 0 end)
    end)
  end)

  it("serves hubs that have a password, and no stranger: PLAIN", function()
    with_auth(function(auth)
      auth:configure_plain("*", { joe = "p" })
      local made = start { plain_server = true }
      check(made, { plain_username = "joe", plain_password = "p" },
        { { plain_username = "joe", plain_password = "q" }, {} })
      made:close()
      kit.eventually(function() return made.left == 0 end)
    end)
  end)
end)

describe("greenlua -m zmq.broker", function()
  it("lets in the certificates of a folder alone", function()
    assert(zmq.create_certificates(dir(), "broker"))
    local key = zmq.load_certificate(dir() .. "/broker.key")
    local keys = dir() .. "/keys"
    program.run { "mkdir", keys }
    assert(zmq.create_certificates(keys, "joe"))
    local joe, joes = zmq.load_certificate(keys .. "/joe.key_secret")
    local other, others = zmq.curve_keypair()
    local function options(public, secret)
      return { curve_serverkey = key, curve_publickey = public, curve_secretkey = secret }
    end
    beside.with(function(server)
      check(server, options(joe, joes), { options(other, others), {} })
    end, { "--curve", dir() .. "/broker.key_secret", "--keys", keys })
    program.run { "rm", "-rf", keys }
  end)

  it("says which numbers it takes", function()
    for text, want in pairs { ["--queue 0"] = "a whole number from 1 to 9007199254740992",
      ["--history x"] = "a whole number from 0 to 9007199254740992",
      ["--max-topics nan"] = "a whole number from 1 to 9007199254740992",
      ["--history-seconds -1"] = "a number of seconds from 0.001 to 31536000" } do
      local option, value = text:match "^(%S+) (%S+)$"
      local run = program.run { program.greenlua, "-m", "zmq.broker", option, value }
      assert.same({ 2, ("greenlua -m zmq.broker: %s: %s is wanted\n"):format(text, want) },
        { run.status, run.err })
    end
  end)

  it("says what is wrong with its keys", function()
    assert(zmq.create_certificates(dir(), "broker"))
    local key = dir() .. "/broker.key"
    for _, case in ipairs {
      { 2, "--keys needs --curve", "--keys", dir() },
      { 2, "--curve needs a file behind it", "--curve" },
      { 1, "no secret key in it", "--curve", key },
      { 1, "ENOENT", "--curve", dir() .. "/nowhere" },
      { 1, "ENOENT", "--curve", key .. "_secret", "--keys", dir() .. "/nowhere" },
    } do
      local run = program.run { program.greenlua, "-m", "zmq.broker", "--ask", endpoint "ask",
        "--pub", endpoint "pub", "--sub", endpoint "sub", unpack(case, 3) }
      assert.are.equal(case[1], run.status, run.err)
      assert.is_truthy(run.err:find(case[2], 1, true), run.err)
    end
  end)
end)

describe("hubs without a broker", function()
  it("hear those that have a key, and no stranger", function()
    with_auth(function(auth)
      assert(auth:configure_curve("*", { JOE }))
      local function hub(mine, other, options)
        return assert(pubsub.new { zmq = { bind = endpoint(mine), peers = { endpoint(other) },
          wait = 1, options = options, bind_options = { curve_server = true,
            curve_secretkey = SECRET } } })
      end
      local one, two = hub("1", "2", curve(JOE, JOES)), hub("2", "1", curve(JOE, JOES))
      local heard = assert(one:subscribe "t")
      assert(two:publish("t", "hello"))
      assert.are.equal("hello", (heard:recv(20)))
      local bad = curve(zmq.curve_keypair())
      bad.handshake_ivl = 0.2
      local stranger = hub("3", "1", bad)
      local theirs = assert(stranger:subscribe "t")
      local sub = assert(zmq.socket("SUB", { linger = 0 }))
      assert(sub:connect(endpoint "1"))
      sub:subscribe ""
      assert(stranger:publish("t", "forged"))
      assert(one:publish("t", "again"))
      assert.are.equal("again", (heard:recv(20)))
      for i = 1, 2 do
        local text, err
        if i == 1 then
          text, err = theirs:recv(SOON)
        else
          text, err = sub:recv(SOON)
        end
        if i == 1 and text == "forged" then -- its own
          text, err = theirs:recv(SOON)
        end
        assert.is_nil(text)
        assert.is_true(green.is_timeout(err))
      end
      assert.are.equal(0, heard:waiting())
      sub:close(0)
      kit.close(stranger)
      kit.close(one)
      kit.close(two)
    end)
  end)
end)
