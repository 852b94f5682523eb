-- The same texts to green.url, node's URL (WHATWG) and Python's urllib: a corpus of random
-- texts, of kinds for which all mean the same.

local program = require "spec.support.program"
local testing = require "green.testing"
local url = require "green.url"

local _, real_it = testing.busted()

local SEED = tonumber(os.getenv "SEED") or 1
local N = 1500
local LENIENT = { lenient = true }

-- -- Random texts -------------------------------------------------------------

local state = SEED * 48271 % 2147483647

--- A whole number from 1 to n: the same ones for the same seed, and no use of math.random.
local function random(n)
  state = 16807 * state % 2147483647
  return math.floor(state / 65536) % n + 1
end

local function pick(list)
  return list[random(#list)]
end

--- Up to n pieces, with something between them.
local function some(list, n, between)
  local pieces = {}
  for i = 1, random(n + 1) - 1 do pieces[i] = pick(list) end
  return table.concat(pieces, between)
end

local HOSTS = { "h", "Example.COM", "a-b.c", "bücher.example", "b%C3%BCcher.example",
  "%65xample.com", "127.0.0.1", "255.255.255.255", "[::1]", "[2001:DB8:0:0::1]", "例え.テスト",
  "faß.de", "xn--bcher-kva.example", "a_b.c", "h.", "x0.y1" }
local BAD_HOSTS = { "a b", "a<b", "[::1", "[::1]x", "1.2.3.4.5", "256.256.256.256", "a%00b",
  "a%2Fb", "[::12345]", "[1.2.3.4]", "h:x", "h:65536", "a%zz" }
-- No ".a": behind it node 20 does not look for dots any more.
local SEGMENTS = { "a", "b", "..", ".", "%2e", "%2E.", "b c", "ü", "a%2Fb", "%41", "a;b=c", "x:y",
  "@", "", "...", "a..", "<\">", "(!$&*+,)", "~-_" }
local QUERIES = { "a=b", "&", "ü", "x y", "?", "/", ":@", "<\">", "%41", "..", "/../" }

local function query_and_fragment()
  return (random(2) == 1 and "?" .. some(QUERIES, 3, "") or "")
    .. (random(3) == 1 and "#" .. some(QUERIES, 2, "") or "")
end

local function authority(hosts)
  return pick { "", "", "u@", "u:p@", "u:p@q@", "ü:%41@" } .. pick(hosts)
    .. pick { "", "", ":", ":8080", ":0", ":65535" }
end

local function absolute()
  local hosts, path = random(6) == 1 and BAD_HOSTS or HOSTS, some(SEGMENTS, 4, pick { "/", "\\" })
  return pick { "", " ", "\n" } .. pick { "http", "https", "ws", "HTTP", "ht\ttps" }
    .. pick { "://", "://", ":", ":/", ":///", ":\\\\" } .. authority(hosts)
    .. (path == "" and "" or pick { "/", "\\" }) .. path .. query_and_fragment()
end

local function relative(scheme)
  return pick { "", "/", "//h/", "\\", scheme .. ":", scheme .. ":/", "ftp:h/", "../", "./",
    "?" } .. some(SEGMENTS, 4, "/"):gsub("^/+", "") .. query_and_fragment()
end

-- -- Peers --------------------------------------------------------------------

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function from_hex(text)
  return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function has(command)
  return os.execute("command -v " .. command .. " >/dev/null 2>&1") == 0
end

--- Give the peer lines of fields, and get a line of fields for each: "-" is none.
local function ask(argv, rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local fields = {}
    for k, field in ipairs(row) do fields[k] = hex(field) end
    lines[i] = table.concat(fields, " ")
  end
  argv.input = table.concat(lines, "\n") .. "\n"
  local run = program.run(argv)
  assert.equal(0, run.status, run.err)
  local answers = {}
  for line in run.out:gmatch("[^\n]+") do
    local fields = {}
    for field in line:gmatch("%S+") do
      fields[#fields + 1] = field ~= "-" and from_hex(field:sub(2)) or false
    end
    answers[#answers + 1] = fields
  end
  assert.equal(#rows, #answers)
  return answers
end

local NODE = [[
const lines = require("fs").readFileSync(0, "latin1").split("\n").slice(0, -1)
const say = t => t === null ? "-" : "x" + Buffer.from(t).toString("hex")
for (const line of lines) {
  const args = line.split(" ").map(t => Buffer.from(t, "hex").toString("utf8"))
  let answer
  try { answer = [].concat((ACT)(...args)) } catch (e) { answer = [null] }
  console.log(answer.map(say).join(" "))
}]]

local function ask_node(act, rows)
  return ask({ "node", "-e", (NODE:gsub("ACT", (act:gsub("%%", "%%%%")))) }, rows)
end

local PYTHON = [[
import sys
from urllib.parse import urljoin, urlsplit
def say(t): return "-" if t is None else "x" + t.encode("latin1").hex()
for line in sys.stdin:
    args = [bytes.fromhex(t).decode("latin1") for t in line.rstrip("\n").split(" ")]
    print(" ".join(map(say, (ACT)(*args))))
]]

local function ask_python(act, rows)
  return ask({ "python3", "-c", (PYTHON:gsub("ACT", (act:gsub("%%", "%%%%")))) }, rows)
end

local function need(command)
  if not has(command) then
    pending(command .. " is not installed")
  end
end

-- -- Comparing ----------------------------------------------------------------

--- As a browser writes it: it drops the scheme's own port and an empty password.
local function written(u)
  if not u then
    return false
  elseif u.port == u:default_port() then
    u = assert(u:with { port = false })
  end
  return tostring(u)
end

local function same(wanted, found, err, row)
  assert.equal(wanted, found, ("%s (%s), seed %d"):format(table.concat(row, " | "), tostring(err),
    SEED))
end

describe("green.url beside node's URL", function()
  real_it("reads what browsers read, and refuses what they refuse", function()
    need "node"
    local rows, refused = {}, 0
    for i = 1, N do rows[i] = { absolute() } end
    for i, answer in ipairs(ask_node("t => new URL(t).href", rows)) do
      local u, err = url.parse(rows[i][1], LENIENT)
      same(answer[1], written(u), err, rows[i])
      refused = refused + (u and 0 or 1)
    end
    assert.is_true(refused > N / 50 and refused < N / 2, refused)
  end)

  real_it("resolves references as browsers do", function()
    need "node"
    local rows = {}
    for i = 1, N do
      local base = pick { "http://a/b/c/d;p?q", "https://u:p@a:1/b/", "http://a", "http://a/?x#y",
        "ws://a/b//c" }
      rows[i] = { base, relative(base:match "^%a+") }
    end
    for i, answer in ipairs(ask_node("(b, r) => new URL(r, b).href", rows)) do
      local u, err = url.join(rows[i][1], rows[i][2], LENIENT)
      if not rows[i][2]:find "^x:" then -- RFC 3986 takes dots out of these, too
        same(answer[1], written(u), err, rows[i])
      end
    end
  end)

  real_it("codes queries and forms as they do, both ways", function()
    need "node"
    local rows = {}
    for i = 1, N do
      rows[i] = { some({ "a", "ü", " ", "&", "=", "+", "%", "*~", "-._", "\1", "'\"" }, 4, ""),
        some({ "b", "例", "#", ";", "/?", "(!)", "[]" }, 4, "") }
    end
    local act = [==[(a, b) => {
      const p = new URLSearchParams([[a || "", b || ""], ["x", a || ""]])
      const t = p.toString() + "&&y&=z"
      return [p.toString(), ...[...new URLSearchParams(t)].flat()] }]==]
    for i, answer in ipairs(ask_node(act, rows)) do
      local a, b = rows[i][1], rows[i][2]
      local text = url.query { { a, b }, { "x", a } }
      same(answer[1], text, nil, rows[i])
      local flat = {}
      for _, pair in ipairs(url.parse_query(text .. "&&y&=z")) do
        flat[#flat + 1], flat[#flat + 2] = pair[1], pair[2]
      end
      table.remove(answer, 1)
      assert.same(answer, flat)
    end
  end)

  real_it("gives names in other scripts to DNS as they do", function()
    need "node"
    local rows = {}
    for name in ([[bücher.example faß.de βόλος.com ΒΌΛΟΣ.com 例え.テスト 中国 пример.испытание
      उदाहरण.परीक्षा 실례.테스트 مثال.إختبار טעסט ｅｘａｍｐｌｅ.ｃｏｍ ä.ö.ü Ｆａß.de 例え。テスト
      straße.example ÅÄÖ.se ǆ.example ﬁ.example ½.example ⅷ.example ☃.net a℀b a／b a：b
      xn--bcher-kva.ü ไทย.example ქართული.ge հայ.am ελ.gr İ.example]]):gmatch "%S+" do
      rows[#rows + 1] = { name }
    end
    local both = 0
    for i, answer in ipairs(ask_node("t => require('url').domainToASCII(t)", rows)) do
      local u, err = url.parse("x://" .. rows[i][1] .. "/")
      local theirs = answer[1] ~= "" and answer[1]
      if theirs and u then
        same(theirs, u.host, err, rows[i])
        both = both + 1
      end
      assert.is_true(theirs ~= false or u == nil, rows[i][1]) -- no more than they take
    end
    assert.is_true(both > 20, both)
  end)
end)

local STRICT = { "a", "b", "..", ".", "%2e", "a%2Fb", "a;b=c", "x:y", "@", "...", ".a", "a..",
  "(!$&'*+,)", "~-_" }

describe("green.url beside Python's urllib", function()
  real_it("takes URLs apart into the same parts", function()
    need "python3"
    local hosts = { "h", "Example.COM", "127.0.0.1", "[::1]", "[2001:db8::1]", "a_b.c", "" }
    local rows = {}
    for i = 1, N do
      rows[i] = { pick { "x", "Foo+1" } .. "://" .. pick { "", "u@", "u:p@", ":p@", "u:@", "@" }
        .. pick(hosts) .. pick { "", ":", ":8080", ":0" }
        .. pick { "", "/" .. some(STRICT, 4, "/") } .. pick { "", "?a=b", "?x?y/" }
        .. pick { "", "#f", "#/?" } }
    end
    local act = "lambda t: (lambda s: (s.scheme, s.hostname, None if s.port is None else "
      .. "str(s.port), s.path, s.query or None, s.fragment or None, s.username, s.password))"
      .. "(urlsplit(t))"
    for i, answer in ipairs(ask_python(act, rows)) do
      local u, err = url.parse(rows[i][1])
      assert.is_table(u, tostring(err))
      local ours = { u.scheme, u.host ~= "" and u.host or false,
        u.port and tostring(u.port) or false, u.path, u.query or false, u.fragment or false,
        u.user or false, u.password or false }
      assert.same(answer, ours, rows[i][1])
    end
  end)

  real_it("resolves references to the same URLs", function()
    need "python3"
    local rows = {}
    for i = 1, N do
      rows[i] = { pick { "http://a/b/c/d;p?q", "http://a:1/b/", "http://a", "https://u@a/?x" },
        pick { "", "/", "../", "./", "../../" } .. some(STRICT, 4, "/")
        .. pick { "", "?y" } .. pick { "", "#s" } }
    end
    for i, answer in ipairs(ask_python("lambda b, r: (urljoin(b, r),)", rows)) do
      local u, err = url.join(rows[i][1], rows[i][2])
      local has_scheme = rows[i][2]:find("^[%a][%w+.-]*:")
      if not has_scheme then -- urllib leaves the dots of these, and of those with a host
        same(answer[1], u and tostring(u) or false, err, rows[i])
      end
    end
  end)
end)

