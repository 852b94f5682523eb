local http = require "green.http"
local green = require "green"
local multipart = require "green.http.multipart"
local program = require "spec.support.program"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local it, it_real = testing.busted()

--- All of a body.
local function read(body)
  if body.text then
    return body.text
  end
  local pieces = {}
  for piece in body.pull do
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

--- What a list of parts comes to, with B for the boundary.
local function text_of(parts)
  local body, kind = assert(multipart.body(parts, "post"))
  local boundary = kind:match "^multipart/form%-data; boundary=(greenlua%-%x+)$"
  local text = read(body)
  assert.equal(#text, body.length or #text)
  return (text:gsub(boundary:gsub("%-", "%%-"), "B"))
end

local DISPOSITION = "--B\r\nContent-Disposition: form-data; name="

--- Run fn(path) with a file of that text.
local function with_file(text, fn)
  local path = program.file(text)
  local ok, err = pcall(fn, path)
  os.remove(path)
  if not ok then
    error(err, 0)
  end
end

local SERVER = [[
import cgi, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
  protocol_version = "HTTP/1.1"
  def do_POST(self):
    form = cgi.FieldStorage(self.rfile, self.headers, environ={"REQUEST_METHOD": "POST"})
    lines = []
    for field in form.list:
      data = field.file.read() if field.filename else field.value
      if isinstance(data, bytes):
        data = "%d bytes, %d" % (len(data), sum(data) % 1000)
      lines.append("|".join([field.name, str(field.filename), field.type, data]))
    text = "\n".join(lines).encode()
    self.send_response(200)
    self.send_header("Content-Length", str(len(text)))
    self.end_headers()
    self.wfile.write(text)
  def log_message(self, *args):
    pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
]]

describe("green.http.multipart", function()
  it("writes parts as browsers do", function()
    assert.equal(DISPOSITION .. '"a"\r\n\r\n1\r\n' .. DISPOSITION .. '"b"\r\n\r\ntwo\r\n--B--\r\n',
      text_of { { "a", 1 }, { name = "b", value = "two" } })
    assert.equal("--B--\r\n", text_of {})
  end)

  it("says filename and type, and what else is wanted", function()
    assert.equal(DISPOSITION .. '"f"; filename="x.txt"\r\nContent-Type: text/plain\r\n'
      .. "X-A: b\r\n\r\nhello\r\n--B--\r\n", text_of { { name = "f", value = { "hel", "lo" },
      filename = "x.txt", type = "text/plain", headers = { { "X-A", "b" } } } })
    assert.equal(DISPOSITION .. '"f"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n'
      .. "\r\n--B--\r\n", text_of { { name = "f", value = "", filename = "" } })
    assert.equal(DISPOSITION .. '"f"\r\nContent-Type: application/json\r\n\r\n{}\r\n--B--\r\n',
      text_of { { name = "f", value = "{}", type = "application/json" } })
  end)

  it("writes quotes and line ends in names as browsers do", function()
    assert.equal(DISPOSITION .. '"a%22b\\c%22"; filename="%22x%0D%0Ay"\r\n'
      .. "Content-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n",
      text_of { { name = 'a"b\\c"', value = "", filename = '"x\r\ny' } })
    assert.equal(DISPOSITION .. '"grün €"\r\n\r\n\r\n--B--\r\n', text_of { { "grün €", "" } })
  end)

  it("raises for CR, LF and NUL where they would be another header", function()
    local function raises(part, text)
      assert.error_matches(function() multipart.body({ part }, "post") end, text)
    end
    for _, bad in ipairs { "a\rb", "a\nb", "a\0b" } do
      raises({ name = bad, value = "" }, "post: multipart%[1%]: name must have no CR, LF and NUL")
      raises({ name = "a", value = "", type = bad }, "type must have no CR, LF and NUL")
      raises({ name = "a", value = "", headers = { { "A", bad } } }, "header A must have no CR")
      raises({ name = "a", value = "", headers = { { bad, "" } } }, "the name of headers%[1%]")
    end
    raises({ name = "a", value = "", filename = "a\0" }, "filename must have no NUL")
  end)

  it("raises for parts that are none", function()
    local function raises(parts, text)
      assert.error_matches(function() multipart.body(parts, "post") end, text)
    end
    raises(5, "post: multipart must be a table")
    raises({ 5 }, "post: multipart%[1%]: it must be a table, not 5")
    raises({ { name = "a" } }, "it must have a value or a file, and not both")
    raises({ { name = "a", value = "", file = "x" } }, "it must have a value or a file")
    raises({ { value = "x" } }, "name must be a string, not nil")
    raises({ { "a", "b" }, nil, { "c", "d" } }, "multipart must be a list without holes")
    raises({ { name = "a", valeu = "" } }, "unknown option 'valeu'; did you mean 'value'")
    raises({ progres = print }, "post: multipart: unknown option 'progres'; did you mean")
    raises({ progress = 5 }, "post: progress must be a function")
    raises({ { "a", true } }, "body must be a string")
  end)

  it("has another boundary each time", function()
    local seen = {}
    for _ = 1, 1000 do
      local _, kind = multipart.body({}, "post")
      assert.is_nil(seen[kind])
      seen[kind] = true
    end
  end)

  it("knows its length when it knows each part's", function()
    with_file(("x"):rep(200000), function(path)
      local file = io.open(path, "rb")
      file:seek("set", 199990)
      local body = multipart.body({ { "a", "b" }, { name = "f", file = path },
        { name = "g", value = file } }, "post")
      local text = read(body)
      assert.equal(#text, body.length)
      assert.truthy(text:find(('filename="%s"'):format(path:match "[^/]*$"), 1, true))
      file:close()
    end)
    local pieces = { "x", "", 5, "z" }
    local body = multipart.body({ { name = "f", value = function()
      return table.remove(pieces, 1)
    end } }, "post")
    assert.is_nil(body.length)
    assert.is_nil(body.rewind)
    assert.matches("\r\n\r\nx5z\r\n", read(body))
  end)

  it("can be sent again when all of it can", function()
    with_file("content", function(path)
      local body = multipart.body({ { name = "f", file = path }, { "a", "b" } }, "post")
      local first = read(body)
      assert.is_true(body.rewind())
      assert.equal(first, read(body))
      body.rewind()
      body.pull()
      body.pull()
      body.rewind() -- amidst it
      assert.equal(first, read(body))
      assert.is_nil(body.pull())
    end)
  end)

  it("opens a file when it is its turn, and not before", function()
    with_file("content", function(path)
      local fds = testing.open_fds()
      local parts = {}
      for i = 1, 50 do
        parts[i] = { name = "f" .. i, file = path }
      end
      local body = multipart.body(parts, "post")
      assert.equal(fds, testing.open_fds())
      local most = 0
      for _ in body.pull do
        most = math.max(most, testing.open_fds() - fds)
      end
      assert.equal(1, most)
      assert.equal(fds, testing.open_fds())
    end)
  end)

  it("says that a file cannot be read", function()
    for path, code in pairs { ["/nowhere/x"] = "ENOENT", ["/"] = "EIO" } do
      local body, err = multipart.body({ { name = "f", file = path } }, "post")
      assert.is_nil(body)
      assert.equal(code, err.code)
      assert.truthy(err.message:find(path, 1, true))
    end
  end)

  it("raises when a file has become shorter, and sends no more when it has grown", function()
    with_file(("x"):rep(100000), function(path)
      local body = multipart.body({ { name = "f", file = path } }, "post")
      local file = io.open(path, "ab")
      file:write(("y"):rep(1000))
      file:close()
      assert.equal(body.length, #read(body))
      body.rewind()
      io.open(path, "wb"):close()
      local ok, err = pcall(read, body)
      assert.is_false(ok)
      assert.equal("EIO", err.code)
      assert.matches("it has become shorter", err.message)
      os.remove(path)
      body.rewind()
      assert.is_false(pcall(read, body))
    end)
  end)

  it("tells how far it is", function()
    local seen = {}
    local body = multipart.body({ { "a", "b" }, progress = function(sent, total)
      seen[#seen + 1] = { sent, total }
    end }, "post")
    local text = read(body)
    assert.same({ { #text, #text } }, seen)
    seen = {}
    body.rewind()
    read(body)
    assert.same({ { #text, #text } }, seen)
    local n = 0
    body = multipart.body({ { name = "a", value = function()
      n = n + 1
      return n <= 3 and "x" or nil
    end }, progress = function(sent, total) seen[#seen + 1] = { sent, total } end }, "post")
    seen = {}
    text = read(body)
    assert.equal(5, #seen)
    assert.same({ #text }, seen[5])
  end)

  it_real("is read by python as it was meant", function()
    local script = program.file(SERVER)
    local server = program.start { "python3", "-W", "ignore", script }
    local port = server:expect "\n":match "%d+"
    with_file(("\1\2\3"):rep(100000), function(path)
      local sent
      local resp, err = http.post("http://127.0.0.1:" .. port .. "/", { multipart = {
        { "plain", "text\r\nwith lines" }, { "grün", "€" },
        { name = "file", file = path, type = "image/png" },
        { name = "made", value = "{}", filename = "a.json", type = "application/json" },
        progress = function(n, total) sent = n == total end,
      } })
      assert.truthy(resp, err)
      assert.equal(200, resp.status)
      assert.equal(("plain|None|text/plain|text\r\nwith lines\ngrün|None|text/plain|€\n"
        .. "file|%s|image/png|300000 bytes, 0\nmade|a.json|application/json|2 bytes, 248"):format(
        path:match "[^/]*$"), resp:text())
      assert.is_true(sent)
    end)
    http.close_idle()
    server:kill(program.TERM)
    server:wait()
    os.remove(script)
  end)

  it_real("goes to a server of ours in chunks when its length is not known", function()
    local seen
    local server = assert(wsgi.new("127.0.0.1:0", function(env)
      seen = { env.HTTP_TRANSFER_ENCODING, env.CONTENT_TYPE, env.input:read() }
      return 200, nil, "ok"
    end, { access_log = false }))
    local thread = green.spawn(server.serve_forever, server)
    local n = 0
    local resp = assert(http.post("http://127.0.0.1:" .. server.port .. "/", { multipart = {
      { name = "a", value = function()
        n = n + 1
        green.sleep(0)
        return n <= 3 and "piece" .. n or nil
      end },
    } }))
    assert.equal("ok", resp:text())
    assert.equal("chunked", seen[1])
    assert.matches("\r\n\r\npiece1piece2piece3\r\n%-%-greenlua", seen[3])
    http.close_idle()
    server:stop()
    thread:wait()
  end)
end)
