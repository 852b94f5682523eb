-- Options of TLS: those in the wrong place, those that do not go together, and when they are
-- looked at.
local green = require "green"
local testing = require "green.testing"
local tls = require "green.tls"
local wsgi = require "green.wsgi"

local certs = require "spec.support.certs"
local kit = require "spec.support.tls_kit"
local virtual_it, it = testing.busted()

--- The call raises that text, in this file.
local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok, text)
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  assert.truthy(tostring(err):find("options_spec.lua:", 1, true), tostring(err))
end

local function context(opts)
  return function() return tls.context(opts) end
end

describe("an option of TLS in the wrong place", function()
  virtual_it("is told where it belongs", function()
    local a = testing.stream_pair()
    local function client(opts)
      return function() return tls.client(a, opts) end
    end
    local function server(opts)
      return function() return tls.server(a, opts) end
    end
    for text, fn in pairs {
      ["tls.context: unknown option 'host'; it is one of tls.client, wrap_ssl"] =
        context { host = "a.test" },
      ["tls.context: unknown option 'timeout'; it is one of tls.client"] = context { timeout = 5 },
      ["tls.context: unknown option 'sessions'; it is one of tls.client"] =
        context { sessions = false },
      ["tls.context: unknown option 'certfile'; that is wrap_ssl's word for 'cert'"] =
        context { certfile = "a.pem" },
      ["tls.client: unknown option 'choose'; it is one of tls.server"] =
        client { choose = print },
      ["tls.client: unknown option 'tickets'; it is one of tls.server"] = client { tickets = 1 },
      ["tls.client: unknown option 'server'; it is one of tls.context alone"] =
        client { server = true },
      ["tls.server: unknown option 'host'; it is one of tls.client"] =
        server(certs.server("a", { host = "a.test" })),
      ["tls.server: unknown option 'on_failure'; it is one of the option tls of green.listen"] =
        server(certs.server("a", { on_failure = print })),
      ["tls.handler: unknown option 'buffered'; it is one of tls.client"] = function()
        tls.handler(certs.server("a", { buffered = "keep" }), print)
      end,
      ["connect: unknown option 'ca'; it belongs into the option tls: tls = { ca = ... }"] =
        function() green.connect("127.0.0.1", 1, { ca = "ca.pem" }) end,
      ["listen: unknown option 'cert'; it belongs into the option tls"] =
        function() green.listen("127.0.0.1:0", { cert = "a.pem" }) end,
      ["wsgi.new: unknown option 'certfile'; it belongs into the option tls: tls = { cert = "] =
        function() wsgi.new("127.0.0.1:0", print, { certfile = "a.pem" }) end,
      ["connect: unknown option 'timeot'; did you mean 'timeout'?"] =
        function() green.connect("127.0.0.1", 1, { timeot = 1 }) end,
    } do
      raises(text, fn)
    end
  end)

  it("is known, whatever a context knows", function()
    local belongs, contexts = require "green.tls.belongs", require "green.tls.context"
    local endpoint = require "green.tls.endpoint"
    for _, known in ipairs { contexts.known, endpoint.of_client, endpoint.of_server } do
      for name in pairs(known) do
        assert.is_string(belongs.hint(name), name)
      end
    end
  end)
end)

describe("options of TLS that do not go together", function()
  virtual_it("are told what to add", function()
    local path = certs.path "ca.pem"
    for _, one in ipairs { { "ca", path }, { "ca_folder", "/tmp" }, { "crl", path },
      { "system_ca", true } } do
      local opts = certs.server("a", { server = true, [one[1]] = one[2] })
      local said = type(one[2]) == "string" and ('"%s"'):format(one[2]) or tostring(one[2])
      raises(("tls.context: %s = %s is for certificates of clients, and no client is asked for "
        .. 'one: add verify = "demand"'):format(one[1], said), tls.context, opts)
    end
    raises("listen: tls: ca = \"" .. path .. "\" is for certificates", green.listen, "127.0.0.1:0",
      { tls = certs.server("a", { ca = path }) })
    assert(tls.context(certs.server("a", { server = true, ca = path, verify = false })))
    raises("tls.context: tickets must be left out where server is not true, not 2", tls.context,
      { tickets = 2 })
  end)

  virtual_it("are functions of contexts that others have among their names", function()
    for _, name in ipairs { "choose", "alpn" } do
      local b = assert(tls.context(certs.server("b", { server = true, [name] = print })))
      raises(('names["b.test"] has a function \'%s\', which would not be called'):format(name),
        tls.context, certs.server("a", { server = true, names = { ["b.test"] = b } }))
    end
  end)
end)

describe("green.connect with tls", function()
  it("looks at the options before anybody is connected to", function()
    local l = assert(green.listen "127.0.0.1:0")
    local _, port = l:sockname()
    local path = os.tmpname()
    os.remove(path)
    local u = assert(green.listen("unix:" .. path))
    for text, opts in pairs {
      ["connect: tls: unknown option 'hots'; did you mean 'host'?"] = { hots = "a.test" },
      ["connect: tls: host must be a name or an address"] = { host = "a b" },
      ["connect: tls: host must be a string"] = { host = 5 },
      ["connect: tls: host must be a name or an address, not \"a.test\\000b\""] =
        { host = "a.test\0b" },
      ["connect: tls: verify must be true"] = { verify = 5 },
      ["the context is for servers"] = tls.context(certs.server("a", { server = true })),
      ["connect: tls: timeout must be"] = { timeout = "5" },
    } do
      raises(text, green.connect, "127.0.0.1", port, { tls = opts })
    end
    raises("connect: tls: host must be the name that the server's certificate must have, not nil",
      green.connect, "unix:" .. path, { tls = true })
    kit.fails("ENOENT", "/nowhere.pem", green.connect("127.0.0.1", port,
      { tls = { ca = "/nowhere.pem" } }))
    kit.fails("EAGAIN", "", l:accept { timeout = 0 }) -- nobody has come
    kit.fails("EAGAIN", "", u:accept { timeout = 0 })
    l:close()
    u:close()
    os.remove(path)
  end)
end)
