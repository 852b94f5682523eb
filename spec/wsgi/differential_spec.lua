-- The same bytes to green.wsgi, nginx and node: who takes what. Each case that
-- differs on purpose says how, for that peer; other versions of a peer may have
-- come round to our view.

local green = require "green"
local testing = require "green.testing"

local http = dofile("spec/support/http.lua")
local program = require "spec.support.program"
local _, real_it = testing.busted()

local function lines(...)
  return table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

local function with_field(...)
  return lines("GET / HTTP/1.1", "Host: a", "Connection: close", ...)
end

local function body_with(...)
  return lines("POST / HTTP/1.1", "Host: a", "Connection: close", ...)
end

-- title, bytes; nginx, node: what they do where we do otherwise.
local cases = {
  { "a plain request", with_field() },
  { "HTTP/1.0", lines "GET / HTTP/1.0" },
  { "a version above 1.1", lines("GET / HTTP/1.2", "Host: a", "Connection: close"),
    node = "refuses 1.2; RFC 9110, 2.5: a higher minor version is to be answered" },
  { "HTTP/2.0", lines("GET / HTTP/2.0", "Host: a"), node = "answers as to 1.1" },
  { "no version", "GET /\r\n\r\n", nginx = "answers HTTP/0.9", node = "answers it" },
  { "a lower case version", lines("GET / http/1.1", "Host: a") },
  { "no Host", lines("GET / HTTP/1.1", "Connection: close") },
  { "two Hosts", with_field "Host: b",
    node = "takes the first; RFC 9112, 3.2: must be refused" },
  { "a Host with a blank", lines("GET / HTTP/1.1", "Host: a b", "Connection: close"),
    nginx = "takes it", node = "takes it" },
  { "a blank before a colon", with_field "X-A : b" },
  { "a folded header", with_field("X-A: b", " c"),
    node = "unfolds it; RFC 9112, 5.2: a server may refuse" },
  { "a header without a colon", with_field "X-A", nginx = "leaves the line out" },
  { "a header without a name", with_field ": b" },
  { "a NUL in a value", with_field "X-A: a\0b" },
  { "a control byte in a value", with_field "X-A: a\1b", nginx = "takes it" },
  { "a bare CR in a value", with_field "X-A: a\rb", nginx = "takes it" },
  { "a bare LF", "GET / HTTP/1.1\r\nHost: a\nConnection: close\r\n\r\n",
    nginx = "takes it; RFC 9112, 2.2: a recipient may" },
  { "bytes beyond ASCII in a value", with_field "X-A: \195\164" },
  { "bytes beyond ASCII in the target", lines("GET /\195\164 HTTP/1.1", "Host: a",
    "Connection: close"), nginx = "takes it", node = "takes it" },
  { "a blank in the target", lines("GET /a b HTTP/1.1", "Host: a", "Connection: close") },
  { "a bad escape", lines("GET /%zz HTTP/1.1", "Host: a", "Connection: close"),
    node = "leaves it to the handler" },
  { "%00 in the path", lines("GET /%00 HTTP/1.1", "Host: a", "Connection: close"),
    node = "leaves it to the handler" },
  { "an absolute target", lines("GET http://a/ HTTP/1.1", "Host: a", "Connection: close") },
  { "a fragment", lines("GET /#x HTTP/1.1", "Host: a", "Connection: close"),
    nginx = "cuts it off", node = "takes it" },
  { "a relative target", lines("GET a HTTP/1.1", "Host: a", "Connection: close") },
  { "a method in small letters", lines("get / HTTP/1.1", "Host: a", "Connection: close"),
    nginx = "knows capitals only", node = "knows registered methods only" },
  { "a body", body_with "Content-Length: 3" .. "abc" },
  { "chunks", body_with "Transfer-Encoding: chunked" .. "3\r\nabc\r\n0\r\n\r\n" },
  { "two equal lengths", body_with("Content-Length: 3", "Content-Length: 3") .. "abc" },
  { "two different lengths", body_with("Content-Length: 3", "Content-Length: 4") .. "abcd" },
  { "a length and chunks",
    body_with("Content-Length: 3", "Transfer-Encoding: chunked") .. "0\r\n\r\n" },
  { "a negative length", body_with "Content-Length: -3" },
  { "a signed length", body_with "Content-Length: +3" .. "abc" },
  { "a length of words", body_with "Content-Length: three" },
  { "an empty length", body_with "Content-Length:" },
  { "a length with zeros", body_with "Content-Length: 003" .. "abc",
    nginx = "takes it", node = "takes it" },
  { "a length beyond 64 bits", body_with "Content-Length: 99999999999999999999" },
  { "a coding that we do not know", body_with "Transfer-Encoding: gzip" },
  { "chunks twice", body_with "Transfer-Encoding: chunked, chunked" .. "0\r\n\r\n",
    node = "takes it" },
  { "a chunk size with 0x", body_with "Transfer-Encoding: chunked" .. "0x3\r\nabc\r\n0\r\n\r\n" },
  { "a negative chunk size",
    body_with "Transfer-Encoding: chunked" .. "-3\r\nabc\r\n0\r\n\r\n" },
  { "data beyond the chunk",
    body_with "Transfer-Encoding: chunked" .. "3\r\nabcd\r\n0\r\n\r\n" },
  { "another expectation", with_field "Expect: x", nginx = "ignores it" },
  { "a header of 9 KB", with_field("X: " .. ("x"):rep(9000)), node = "allows 16 KB in all" },
  { "a request line of 9 KB", lines("GET /" .. ("x"):rep(9000) .. " HTTP/1.1", "Host: a",
    "Connection: close"), node = "allows 16 KB in all" },
}

local NGINX = [[
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log /dev/null;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
  scgi_temp_path s; uwsgi_temp_path u;
  server {
    listen unix:%s/http.sock; client_max_body_size 1m; large_client_header_buffers 4 8k;
    location / { lua_need_request_body on; content_by_lua_block { ngx.print("ok") } }
  }
}
]]

local NODE = [[
const server = require("http").createServer((q, r) => {
  q.resume(); q.on("end", () => r.end("ok"));
});
server.listen(process.argv[2]);
]]

local function has(name)
  return os.execute("command -v " .. name .. " >/dev/null 2>&1") == 0
end

local function folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. path) == 0)
  return path
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- The class of the last final answer: 2 (taken), or 4 for anything that is not.
local function verdict(connect, bytes)
  local conn = connect()
  for _ = 1, 1500 do -- the peer may be starting
    if conn then
      break
    end
    green.sleep(0.02) -- it is another process, and shows nothing else
    conn = connect()
  end
  assert(conn, "the peer does not listen")
  conn:write(bytes)
  conn:shutdown("write")
  local text = green.timeout(2, conn.read_all, conn) or ""
  conn:close()
  local class = text:match "^HTTP/1%.[01] (%d)"
  local is_old = text ~= "" and not text:find "^HTTP/" -- an answer of HTTP/0.9
  return (class == "2" or is_old) and "takes" or "refuses", text
end

local function compare(name, connect)
  local server = http.serve(function(env)
    local _, err = env.input:read()
    return err and 400 or 200, {}, "ok"
  end)
  local differ = {}
  for _, case in ipairs(cases) do
    local title, bytes = case[1], case[2]
    local ours = verdict(function()
      return server:connect()
    end, bytes)
    local theirs, text = verdict(connect, bytes)
    if ours ~= theirs and not case[name] then
      differ[#differ + 1] = ("%s: greenlua %s, %s %s (%s)"):format(title, ours, name, theirs,
        text:match "^[^\r\n]*" or "")
    end
  end
  server:close(green.sleep)
  assert.equal("", table.concat(differ, "\n"))
end

local function beside(name, argv, path)
  local child = program.start(argv)
  local ok, err = pcall(compare, name, function()
    return (green.connect("unix:" .. path .. "/http.sock"))
  end)
  child:kill(program.KILL):wait()
  os.execute("rm -rf " .. path)
  if not ok then
    error(err, 0)
  end
end

describe("green.wsgi takes and refuses what others do:", function()
  real_it("nginx", function()
    local module
    for _, place in ipairs { "/usr/lib/nginx/modules", "/usr/share/nginx/modules" } do
      local file = io.open(place .. "/ngx_http_lua_module.so")
      if file then
        file:close()
        module = place
      end
    end
    if not has "nginx" or not module then
      pending "nginx with its Lua module is not installed"
    end
    local path = folder()
    local modules = ("load_module %s/ndk_http_module.so; load_module %s/ngx_http_lua_module.so;\n")
      :format(module, module)
    write(path .. "/conf", modules .. NGINX:format(path))
    beside("nginx", { "nginx", "-p", path, "-c", path .. "/conf" }, path)
  end)

  real_it("node", function()
    if not has "node" then
      pending "node is not installed"
    end
    local path = folder()
    write(path .. "/server.js", NODE)
    beside("node", { "node", path .. "/server.js", path .. "/http.sock" }, path)
  end)
end)
