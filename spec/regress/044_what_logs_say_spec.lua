-- The access log keeps what is known of a request that was refused or cut; and no byte
-- that a terminal could take for a command reaches either log.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local kit = dofile("spec/support/wsgi_kit.lua")
local virtual_it, it = testing.busted()
local timed_it = http.its(virtual_it, testing.advance)

local FORMAT = "%(method)s|%(path)s|%(query)s|%(protocol)s|%(host)s|%(client_ip)s|"
  .. "%(status_code)s|%(wall_seconds).1f|%(reason)s"

local function hello()
  return 200, nil, "hello"
end

--- The lines of a log that are of requests.
local function of_requests(log)
  local lines = {}
  for _, line in ipairs(log) do
    if line:find("|", 1, true) then lines[#lines + 1] = line end
  end
  return lines
end

describe("the log of a refused request", function()
  local head = " HTTP/1.1\r\nX-Forwarded-For: 192.0.2.9\r\n"
  local refused = {
    ["CONNECT a.b:80" .. head .. "Host: a.b:80\r\n\r\n"] =
      "CONNECT|-|-|HTTP/1.1|a.b:80|192.0.2.9,127.0.0.1|501|0.0|CONNECT is not served",
    ["POST /p?q=1" .. head .. "Host: h\r\nContent-Length: 999999999\r\n\r\n"] =
      "POST|/p|q=1|HTTP/1.1|h|192.0.2.9,127.0.0.1|413|0.0|body larger than the limit",
    ["GET /p" .. head .. "\r\n"] =
      "GET|/p|-|HTTP/1.1|-|192.0.2.9,127.0.0.1|400|0.0|no Host",
    ["GET /p" .. head .. "Host: h\r\nExpect: more\r\n\r\n"] =
      "GET|/p|-|HTTP/1.1|h|192.0.2.9,127.0.0.1|417|0.0|unknown expectation",
    ["PUT /p" .. head .. "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"] =
      "PUT|/p|-|HTTP/1.1|h|192.0.2.9,127.0.0.1|501|0.0|transfer coding not supported",
    ["GET /p" .. head .. "Host: h\r\nbad field\r\n\r\n"] =
      "GET|/p|-|HTTP/1.1|h|192.0.2.9,127.0.0.1|400|0.0|blank in or before a field name",
    ["GET /p HTTP/3.0\r\n\r\n"] = "GET|/p|-|-|-|127.0.0.1|505|0.0|HTTP version not supported",
    ["GET /a\\b HTTP/1.1\r\n\r\n"] = "GET|-|-|-|-|127.0.0.1|400|0.0|backslash in the path",
    ["\1\r\n\r\n"] = "-|-|-|-|-|127.0.0.1|400|0.0|bad method",
  }
  for text, line in pairs(refused) do
    virtual_it("keeps what was parsed: " .. line, function()
      kit.with(hello, { log_format = FORMAT }, function(client, _, log)
        -- Behind another one: nothing of that may stay.
        client:raw(http.get("/first?x", "X-Forwarded-For: 192.0.2.1\r\n") .. text)
        testing.settle_io()
        assert.same({ "GET|/first|x|HTTP/1.1|a|192.0.2.1,127.0.0.1|200|0.0|-", line },
          of_requests(log))
      end)
    end)
  end

  timed_it("has the time that a head took that never came", function(serve)
    local log = {}
    local server = serve(hello, { header_timeout = 5, keepalive = 50, access_log = log,
      log_format = FORMAT })
    local conn = server:connect(http.get "/")
    kit.read_answer(conn)
    testing.advance(20)
    conn:write "GET /slow HTTP/1.1\r\nHost: h\r\n"
    testing.settle()
    testing.advance(3)
    conn:write "X: y\r\n"
    testing.settle()
    testing.advance(3)
    testing.settle()
    assert.equal("GET|/slow|-|HTTP/1.1|h|127.0.0.1|408|5.0|head took too long",
      (log[2]:gsub("|[56]%.%d|", "|5.0|")))
  end)
end)

describe("the log of a connection that was cut", function()
  local forms = {
    ["a string"] = function() return ("x"):rep(30000000) end,
    ["pieces"] = function() return function() return ("x"):rep(100000) end end,
    ["a list"] = function()
      local list = {}
      for i = 1, 300 do list[i] = ("x"):rep(100000) end
      return list
    end,
  }
  for name, make in pairs(forms) do
    for _, hooks in ipairs { false, true } do
      it("by write_timeout says so: " .. name .. (hooks and ", with posthooks" or ""), function()
        local app = function(env)
          if hooks then
            table.insert(env.posthooks, { function() end })
          end
          return 200, nil, make()
        end
        kit.with(app, { write_timeout = 0.05, log_format = FORMAT }, function(client, _, log)
          local conn = client:connect(http.get "/")
          while #of_requests(log) == 0 do green.sleep(0.01) end
          conn:close()
          assert.same({ "GET|/|-|HTTP/1.1|a|127.0.0.1|200|client did not read in time" },
            { (of_requests(log)[1]:gsub("|%d+%.%d|", "|")) })
        end)
      end)
    end
  end

  it("by the client says so", function()
    kit.with(function() return 200, nil, forms["a string"]() end, { log_format = FORMAT },
      function(client, _, log)
        local conn = client:connect(http.get "/")
        conn:read(100)
        conn:close()
        while #of_requests(log) == 0 do green.sleep(0.01) end
        assert.truthy(of_requests(log)[1]:find("|connection reset by peer$")
          or of_requests(log)[1]:find("|broken pipe$"), of_requests(log)[1])
      end)
  end)

  it("comes once, and says nothing of the kind, when a slow client has it all", function()
    kit.with(function() return 200, nil, ("x"):rep(10000000) end, { log_format = FORMAT },
      function(client, _, log)
        local conn = client:connect(http.get "/" .. http.get "/2")
        testing.settle()
        assert.same({}, of_requests(log))
        conn:shutdown("write")
        conn:read_all()
        conn:close()
        testing.settle()
        local lines = of_requests(log)
        assert.equal(2, #lines)
        for _, line in ipairs(lines) do assert.truthy(line:find("|200|%d+%.%d|%-$"), line) end
      end)
  end)
end)

describe("no log has raw bytes of terminals and other alphabets:", function()
  local nasty = "\27[2J\r\8\127\155\195\188\0end"

  --- Everything that was logged, while nasty bytes came by all ways.
  local function everything(opts)
    local log = {}
    opts.log = { write = function(_, text) log[#log + 1] = text end }
    opts.debug = true
    kit.with(function(env)
      if env.PATH_INFO == "/raise" then
        error("bad: " .. nasty .. "\ngreenlua: forged")
      elseif env.PATH_INFO == "/object" then
        error({ [nasty] = nasty })
      elseif env.PATH_INFO == "/header" then
        return 200, { [nasty] = nasty }, ""
      end
      env.error:write("said " .. nasty .. "\n")
      return 200, nil, "hello"
    end, opts, function(client)
      for _, path in ipairs { "/", "/raise", "/object", "/header" } do
        client:get(path, { "User-Agent: \128\255" , "X-Forwarded-For: \200" })
      end
      client:raw("GET /" .. nasty .. " HTTP/1.1\r\n\r\n")
      client:raw(nasty .. "\r\n\r\n")
      testing.settle()
    end)
    return table.concat(log)
  end

  for _, format in ipairs { "json", "%(request_line)s %(client_ip)s %(user_agent)s %(reason)s" } do
    it("with the format " .. format:sub(1, 10), function()
      local text = everything { log_format = format }
      assert.is_nil(text:find("[%z\1-\8\11-\31\127-\255]"))
      assert.truthy(text:find("said \\x1b[2J\\x0d\\x08\\x7f\\x9b\\xc3\\xbc\\x00end\n", 1, true))
      assert.truthy(text:find("bad: \\x1b[2J", 1, true))
      assert.is_nil(text:find("\ngreenlua: forged", 1, true))
      assert.truthy(text:find("stack traceback:\n\t", 1, true))
    end)
  end
end)
