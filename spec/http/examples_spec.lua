-- The examples of green.http, beside a server that is a process of its own.
local lfs = require "lfs"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local SERVER = [[
  local digest, wsgi = require "green.digest", require "green.wsgi"
  local calls, routes = 0, {}
  routes["/hook"] = function(env)
    calls = calls + 1
    local text = env.input:read()
    local signed = env.HTTP_WEBHOOK_ID .. "." .. env.HTTP_WEBHOOK_TIMESTAMP .. "." .. text
    if env.HTTP_WEBHOOK_SIGNATURE ~= "v1," .. digest.base64(digest.hmac("sha256", "geheim", signed))
    then
      return 403
    elseif calls == 1 then
      return 503, { ["Retry-After"] = "0" }, "later"
    end
    return text:find "bad" and 400 or 204
  end
  routes["/big"] = function() return 200, nil, ("x"):rep(3000000) end
  routes["/short"] = function()
    return 200, { ["Content-Length"] = "10" }, function() error "x" end
  end
  routes["/a%2Fb"] = function() return 200, nil, "with a slash" end
  routes["/headers"] = function(env)
    local lines = { env.REQUEST_METHOD .. " " .. env.REQUEST_URI, env.input:read() }
    for _, pair in ipairs(env.headers_raw) do lines[#lines + 1] = pair[1] .. ": " .. pair[2] end
    return 200, { ["X-Own"] = "yes", Connection = "X-Own" }, table.concat(lines, "\n") .. "\n"
  end
  local pages = { ["/"] = "/one /two http://elsewhere.test/", ["/one"] = "/ /three",
    ["/two"] = "/one#x /broken", ["/three"] = "" }
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    local route = routes[env.RAW_PATH_INFO]
    if route then return route(env) end
    local links = pages[env.PATH_INFO]
    if not links then return 404, nil, "none" end
    return 200, { ["Content-Type"] = "text/html" }, (links:gsub("%S+", '<a href="%0">x</a>'))
  end, { error_log = false }))
  print(server.port)
  io.flush()
  server:serve_forever()
]]

--- Run body(port) beside that server.
local function with_server(body)
  local script = program.file(SERVER)
  local server = program.start_greenlua { script }
  local ok, err = pcall(function() body(tonumber((server:expect "\n":match "%d+"))) end)
  server:kill(program.TERM)
  server:wait()
  os.remove(script)
  if not ok then
    error(err, 0)
  end
end

local function example(name, ...)
  return program.run_greenlua { "examples/" .. name .. ".lua", ... }
end

describe("examples/crawler.lua", function()
  it("walks over a site that it makes", function()
    local run = example "crawler"
    assert.equal(0, run.status, run.err)
    assert.matches("^broken: http://127%.0%.0%.1:%d+/missing: 404\n34 pages, %d+ bytes, "
      .. "1 broken links\n$", run.out)
  end)

  it("walks over another, and not out of it", function()
    with_server(function(port)
      local run = example("crawler", "http://127.0.0.1:" .. port)
      assert.equal(0, run.status, run.err)
      assert.matches("^broken: http://127%.0%.0%.1:%d+/broken: 404\n4 pages, ", run.out)
      run = example("crawler", "http://127.0.0.1:" .. port, "2")
      assert.matches("\n2 pages, ", "\n" .. run.out)
    end)
  end)

  it("says that there is no URL", function()
    local run = example("crawler", "http://a b/")
    assert.equal(2, run.status)
    assert.matches("^crawler: ", run.err)
  end)
end)

describe("examples/download.lua", function()
  it("has files when all of them is there", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    with_server(function(port)
      local base = "http://127.0.0.1:" .. port
      local run = example("download", folder, base .. "/big", base .. "/a%2Fb", base .. "/missing",
        base .. "/short", base .. "/", base .. "/x/big")
      assert.equal(1, run.status)
      assert.matches("^done    big\ndone    a_b\nfailed  GET [^\n]*/missing[^\n]*404[^\n]*\n"
        .. "failed  [^\n]*short[^\n]*\ndone    index.html\nfailed  [^\n]*there is another big\n$",
        run.out)
      assert.matches("%] 100%% of 3%.0 MB\n$", run.err)
    end)
    local found = {}
    for name in lfs.dir(folder) do
      if name ~= "." and name ~= ".." then
        found[#found + 1] = name .. " " .. lfs.attributes(folder .. "/" .. name, "size")
        os.remove(folder .. "/" .. name)
      end
    end
    table.sort(found)
    lfs.rmdir(folder)
    assert.same("a_b 12", found[1])
    assert.same("big 3000000", found[2])
    assert.matches("^index.html ", found[3])
    assert.is_nil(found[4])
  end)
end)

describe("examples/webhook.lua", function()
  local function send(port, input, ...)
    return program.run { "env", "WEBHOOK_SECRET=geheim", program.greenlua, "examples/webhook.lua",
      "http://127.0.0.1:" .. port .. "/hook", ..., input = input }
  end

  it("sends events until they are taken", function()
    with_server(function(port)
      local run = send(port, '{"a":1}\n{"b":2}\n{"bad":3}\n', "--private")
      assert.equal(1, run.status, run.err)
      assert.matches("^taken   msg_%S+  204\ntaken   msg_%S+  204\nfailed  msg_%S+  400\n$",
        run.out)
      assert.equal(0, send(port, '{"a":1}\n', "--private").status)
    end)
  end)

  it("sends none to a private address unless it is told to", function()
    with_server(function(port)
      local run = send(port, '{"a":1}\n')
      assert.equal(1, run.status)
      assert.matches("^failed  .*loopback %(EACCES%)\n$", run.out)
    end)
  end)
end)

describe("examples/proxy.lua", function()
  --- Run body(curl) beside the proxy with these words; curl(...) asks through it.
  local function with_proxy(body, ...)
    local proxy = program.start_greenlua { "examples/proxy.lua", "0", ... }
    local port = proxy:expect "\n":match "127%.0%.0%.1:(%d+)"
    local ok, err = pcall(body, function(...)
      return program.run { "curl", "-si", "--max-time", "20", "-x", "127.0.0.1:" .. port, ... }.out
    end, port)
    proxy:kill(program.TERM)
    proxy:wait()
    if not ok then
      error(err, 0)
    end
  end

  it("hands requests on, without what is for one hop", function()
    with_server(function(port)
      with_proxy(function(curl)
        local url = "http://127.0.0.1:" .. port .. "/headers"
        local text = curl(url, "-d", "a body", "-H", "X-One: 1", "-H", "Connection: X-One", "-H",
          "TE: trailers", "-H", "Proxy-Authorization: Basic eDp5")
        assert.matches("^HTTP/1.1 200 OK\r\n", text)
        assert.matches("\r\nVia: 1.1 greenlua%-proxy\r\n", text)
        assert.matches("\r\n\r\nPOST /headers\na body\nHost: 127.0.0.1:%d+\n", text)
        assert.matches("\nVia: 1.1 greenlua%-proxy\n", text)
        for _, name in ipairs { "X-One", "TE:", "Proxy-", "Connection", "Keep-Alive" } do
          assert.is_nil(text:match("\n\n?POST(.*)$"):find(name, 1, true), name)
        end
        assert.matches("^HTTP/1.1 404 ", curl("http://127.0.0.1:" .. port .. "/nowhere"))
        assert.equal(3000000, #curl("http://127.0.0.1:" .. port .. "/big"):match "\r\n\r\n(.*)$")
      end, "--private")
    end)
  end)

  it("makes tunnels to the ports that it may", function()
    with_server(function(port)
      local url = "http://127.0.0.1:" .. port .. "/headers"
      with_proxy(function(curl)
        assert.matches("^HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n",
          curl("-p", url))
      end, "--private", "--connect", tostring(port))
      with_proxy(function(curl)
        assert.matches("^HTTP/1.1 403 ", curl("-p", url))
      end, "--private")
    end)
  end)

  it("leads to nothing private unless it is told to", function()
    with_server(function(port)
      with_proxy(function(curl)
        for _, host in ipairs { "127.0.0.1", "localhost" } do
          local text = curl(("http://%s:%d/headers"):format(host, port))
          assert.matches("^HTTP/1.1 403 ", text)
          assert.matches("no connection to this address is allowed: loopback", text)
          assert.matches("^HTTP/1.1 403 ", curl("-p", ("http://%s:%d/"):format(host, port)))
        end
      end, "--connect", tostring(port))
    end)
  end)

  it("is no server, and leads in no circle", function()
    with_proxy(function(curl, port)
      assert.matches("^HTTP/1.1 400 ", program.run { "curl", "-si", "http://127.0.0.1:" .. port
        .. "/" }.out)
      assert.matches("^HTTP/1.1 508 ", curl("http://127.0.0.1:" .. port .. "/"))
    end, "--private")
  end)
end)
