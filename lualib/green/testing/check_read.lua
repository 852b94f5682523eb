--- Checks of what streams read. Private to green.testing.check_stream.
-- @module green.testing.check_read

local check = require "green.testing.check"
local thread = require "green.thread"

local is, ends, fails = check.is, check.ends, check.fails

local function add_exact(add)
  add("read(n) waits for all n bytes though they come in pieces", function(a, b)
    local t = check.start(check.write_pieces, a, { "ab", "c", "defg" })
    is(b:read(7), "abcdefg")
    t:wait()
  end)

  add("read(n) leaves what it did not ask for", function(a, b)
    a:write("abcdef")
    is(b:read(2), "ab")
    is(b:read(1), "c")
    is(b:read(3), "def")
  end)

  add("read(0) returns an empty string", function(a, b)
    is(b:read(0), "")
    a:write("x")
    is(b:read(0), "")
    is(b:read(1), "x")
  end)

  add("read(n) says EEOF when the stream ends amidst, with what there was", function(a, b)
    a:write("abc")
    a:close()
    is(fails("EEOF ECONNRESET", b:read(4)).partial, "abc")
    ends(b:read(4))
  end)

  add("read raises for a size that is none", function(_, b)
    is(pcall(b.read, b, "x"), false)
    is(pcall(b.read, b, -1), false)
    is(pcall(b.read, b, 1, { timeuot = 1 }), false)
  end)
end

local function add_some(add)
  add("read_some returns what there is", function(a, b)
    a:write("abc")
    is(b:read_some(), "abc")
  end)

  add("read_some(n) returns at most n bytes and keeps the rest", function(a, b)
    a:write("abcdef")
    is(b:read_some(4), "abcd")
    is(b:read_some(4), "ef")
  end)

  add("read_some waits for a byte", function(a, b)
    local t = check.start(b.read_some, b)
    a:write("later")
    is(t:wait(), "later")
  end)

  add("read_some(0) waits until there is something and takes nothing", function(a, b)
    local t = check.start(b.read_some, b, 0)
    is(t:dead(), false, "returned before anything came")
    a:write("x")
    is(t:wait(), "")
    is(b:read_some(), "x")
  end)
end

local function add_all(add)
  add("carries every byte value", function(a, b)
    local all = {}
    for i = 0, 255 do
      all[i + 1] = string.char(i)
    end
    all = table.concat(all)
    a:write(all)
    is(b:read(256), all)
  end)

  add("read_all returns everything up to the end", function(a, b)
    local t = check.start(check.write_pieces, a, { "one", "", "two", "three" })
    t:link(function()
      a:close()
    end)
    is(b:read_all(), "onetwothree")
    is(b:read_all(), "")
  end)

  add("read_all(most) refuses more than that, and keeps the bytes", function(a, b)
    a:write("abcdef")
    fails("ETOOBIG", b:read_all(5))
    is(b:read(6), "abcdef")
  end)

  add("chunks iterates to the end", function(a, b)
    check.start(check.write_pieces, a, { "x", "yy", "zzz" }):link(function()
      a:close()
    end)
    local got = {}
    for chunk in b:chunks(2) do
      check.ok(#chunk <= 2, "a chunk is too long")
      got[#got + 1] = chunk
    end
    is(table.concat(got), "xyyzzz")
  end)
end

local function add_until(add)
  add("read_until takes the delimiter and does not return it", function(a, b)
    a:write("key: value\r\n\r\nbody")
    is(b:read_until(": "), "key")
    is(b:read_until("\r\n\r\n"), "value")
    is(b:read(4), "body")
  end)

  add("read_until finds a delimiter that came in pieces", function(a, b)
    local t = check.start(check.write_pieces, a, { "ab-", "-", "=cd--", "=" })
    is(b:read_until("--="), "ab")
    is(b:read_until("--=", { include = true }), "cd--=")
    t:wait()
  end)

  add("read_until says ETOOBIG beyond max, and keeps the bytes", function(a, b)
    a:write("abcdef;")
    fails("ETOOBIG", b:read_until(";", { max = 5 }))
    is(b:read_until(";", { max = 6 }), "abcdef")
  end)

  add("read_until says EEOF when the stream ends before the delimiter", function(a, b)
    a:write("abc")
    a:close()
    is(fails("EEOF ECONNRESET", b:read_until(";")).partial, "abc")
    ends(b:read_until(";"))
  end)
end

local function add_lines(add)
  add("read_line strips LF and CRLF, and knows empty lines", function(a, b)
    a:write("one\ntwo\r\n\n\r\nth\rree\n")
    for _, line in ipairs({ "one", "two", "", "", "th\rree" }) do
      is(b:read_line(), line)
    end
  end)

  add("read_line finds a CRLF that came in two pieces", function(a, b)
    local t = check.start(check.write_pieces, a, { "on", "e\r", "\ntwo\n" })
    is(b:read_line(), "one")
    is(b:read_line(), "two")
    t:wait()
  end)

  add("read_line says ETOOBIG beyond max, and keeps the bytes", function(a, b)
    a:write("abcdef\n")
    fails("ETOOBIG", b:read_line({ max = 5 }))
    is(b:read_line({ max = 6 }), "abcdef")
  end)

  add("lines iterates to the end, a last line without LF among them", function(a, b)
    a:write("one\ntwo\nthree")
    a:close()
    local got = {}
    for line in b:lines() do
      got[#got + 1] = line
    end
    is(table.concat(got, ","), "one,two,three")
  end)
end

local function add_mixed(add)
  add("the kinds of reading mix", function(a, b)
    local t = check.start(check.write_pieces, a, { "GET /\r\nlen", ":3\r\nab", "crest;z" })
    is(b:read_line(), "GET /")
    is(b:read_until(":"), "len")
    is(b:read_line(), "3")
    is(b:read(3), "abc")
    is(b:read_until(";"), "rest")
    is(b:read_some(), "z")
    t:wait()
  end)

  add("plays ping-pong", function(a, b)
    local t = thread.spawn(function()
      for line in b:lines() do
        assert(b:write(line:upper(), "\n"))
      end
      return "done"
    end)
    for i = 1, 50 do
      a:write("ping ", i, "\n")
      is(a:read_line(), "PING " .. i)
    end
    a:close()
    is(t:wait(), "done")
  end)
end

return function(add)
  add_exact(add)
  add_some(add)
  add_all(add)
  add_until(add)
  add_lines(add)
  add_mixed(add)
end
