-- `greenlua -m http URL`, and -m of other modules.

local certs = require "spec.support.certs"
local green = require "green"
local lfs = require "lfs"
local program = require "spec.support.program"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local tree = require "spec.support.tree"
local _, it_real = testing.busted()
local it = kit.its(it_real)

--- The command beside a server of this process.
local function run(...)
  local p = program.start_greenlua { "-m", "http", ... }
  while not p:poll() do
    green.sleep(0.002) -- between two looks; the condition is its end
  end
  return p:wait()
end

local function app(env)
  local status = tonumber(env.PATH_INFO:match("%d+")) or 200
  return status, { ["x-a"] = "b" }, ("%s %s %s\n"):format(env.REQUEST_METHOD,
    env.HTTP_X_H or "-", env.input:read() or "-")
end

describe("greenlua -m http", function()
  it("asks, and prints the body", function(serve)
    local where = "127.0.0.1:" .. serve(app).port
    local got = run(where)
    assert.same({ 0, "GET - -\n", "" }, { got.status, got.out, got.err })
    got = run("-H", "X-H: 1", "-d", "body", "http://" .. where .. "/")
    assert.equal("POST 1 body\n", got.out)
    got = run("-X", "PUT", "-j", "{}", "-i", "-w", where)
    assert.matches("^HTTP/1.1 200 OK\n.*X%-A: b\n.*\n\nPUT %- {}\n$", got.out)
    assert.matches("^connected [%d.]+ s, head [%d.]+ s, all [%d.]+ s\n$", got.err)
    assert.matches("^HTTP/1.1 404 Not Found\n", run("-I", where .. "/404").out)
  end)

  it("sends a form unless it is told another type, as curl does", function(serve)
    local where = "127.0.0.1:" .. serve(function(env)
      local types = {}
      for _, pair in ipairs(env.headers_raw) do
        if pair[1]:lower() == "content-type" then types[#types + 1] = pair[2] end
      end
      return 200, nil, table.concat(types, ",")
    end).port
    assert.equal("application/x-www-form-urlencoded", run("-d", "a=1", where).out)
    assert.equal("application/json", run("-j", "{}", where).out)
    for _, letter in ipairs { "-d", "-j" } do
      assert.equal("text/x", run("-H", "content-type: text/x", letter, "a", where).out)
    end
    assert.equal("", run(where).out)
  end)

  it("sends forms with files", function(serve)
    local where = "127.0.0.1:" .. serve(function(env)
      local kind = env.CONTENT_TYPE
      local boundary = kind:match "^multipart/form%-data; boundary=(.+)$"
      local body = env.input:read():gsub(boundary:gsub("%-", "%%-"), "B"):gsub("\r", "")
      return 200, nil, env.REQUEST_METHOD .. "\n" .. body
    end).port
    local path = program.file "of a file"
    local got = run("-F", "a=1 =2", "-F", "f=@" .. path, "-F", "at=@", where)
    os.remove(path)
    assert.same({ 0, "" }, { got.status, got.err })
    assert.equal(([[
POST
--B
Content-Disposition: form-data; name="a"

1 =2
--B
Content-Disposition: form-data; name="f"; filename="%s"
Content-Type: application/octet-stream

of a file
--B
Content-Disposition: form-data; name="at"

@
--B--
]]):format(path:match "[^/]*$"), got.out)
    for said, words in pairs { ["-F needs 'name=value'"] = { "-F", "x" },
      ["give one of -d, -j and -F"] = { "-F", "a=1", "-d", "x" },
      ["-F needs a word behind it"] = { "-F" }, ["--ca needs a word behind it"] = { "--ca" } } do
      words[#words + 1] = #words > 1 and where or nil
      got = run(unpack(words))
      assert.equal(2, got.status)
      assert.truthy(got.err:find(said, 1, true), got.err)
    end
    got = run("-F", "f=@/nowhere/x", where)
    assert.equal(1, got.status)
    assert.matches("ENOENT", got.err)
  end)

  it("verifies certificates, by authorities of the caller's", function(serve)
    local where = "https://127.0.0.1:" .. serve(app, { tls = { cert = certs.path "a.pem",
      key = certs.path "a.key" } }).port
    local got = run(where)
    assert.same({ 1, "" }, { got.status, got.out })
    assert.matches("ECERTUNKNOWN", got.err)
    assert.equal("GET - -\n", run("--ca", certs.path "ca.pem", where).out)
    assert.equal("GET - -\n", run("-k", where).out)
    assert.matches("ENOENT", run("--ca", "/nowhere/x", where).err)
  end)

  it("says how it is called", function()
    for _, word in ipairs { "-h", "--help" } do
      local got = run(word)
      assert.same({ 0, "" }, { got.status, got.err })
      assert.matches("^usage: greenlua %-m http", got.out)
    end
    local got = run("-L", "http://127.0.0.1:1/")
    assert.same({ 2, "greenlua -m http: -L http://127.0.0.1:1/: a whole number from 0 to 10000 "
      .. "is wanted\n" }, { got.status, got.err })
    for _, text in ipairs { "x", "-1", "nan", "inf", "1e99" } do
      got = run("-m", text, "127.0.0.1:1")
      assert.same({ 2, "greenlua -m http: -m " .. text .. ": a number of seconds from 0 to "
        .. "31536000 is wanted\n" }, { got.status, got.err })
    end
    assert.equal(2, run("-L", "1.5", "127.0.0.1:1").status)
  end)

  it("has a status for each kind of end", function(serve)
    local where = "127.0.0.1:" .. serve(app).port
    assert.equal(0, run(where .. "/500").status)
    local got = run("-f", where .. "/500")
    assert.same({ 22, "", "the server answered 500 Internal Server Error\n" },
      { got.status, got.out, got.err })
    got = run("127.0.0.1:1")
    assert.equal(1, got.status)
    assert.matches("^GET http://127.0.0.1:1/: connecting: .*ECONNREFUSED", got.err)
    assert.same({ 2, "greenlua -m http: no such option: -Z\n" }, { run("-Z").status,
      run("-Z").err })
    assert.equal(2, run().status)
  end)
end)

describe("greenlua -m", function()
  it_real("runs the main of any module, with what follows", function()
    tree.with({
      ["tool.lua"] = "return { main = function(a, b) print(a, b, arg[0]) return 3 end }",
    }, function(root)
      local greenlua = program.greenlua:gsub("^[^/]", lfs.currentdir() .. "/%0")
      local got = program.run { "sh", "-c", ("cd '%s' && exec '%s' -m tool x -e"):format(root,
        greenlua) }
      assert.same({ 3, "x\t-e\ttool\n" }, { got.status, got.out })
    end)
  end)

  it_real("says what is wrong", function()
    local got = program.run_greenlua { "-m", "string" }
    assert.equal(1, got.status)
    assert.matches("%-m: the module string has no function main", got.err)
    assert.matches("module 'no_such' not found", program.run_greenlua({ "-m", "no_such" }).err)
    assert.matches("%-m", program.run_greenlua({ "-m" }).err)
  end)
end)
