-- traceparent and tracestate by W3C Trace Context; the numbers are its sections.

local kit = require "spec.support.tracing_kit"
local parents = require "green.tracing.parent"
local testing = require "green.testing"
local tracing = require "green.tracing"

local it = testing.busted()

local TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
local GOOD = "00-" .. TRACE .. "-" .. SPAN .. "-01"

describe("traceparent", function()
  it("is read (3.2.2.2)", function()
    assert.same({ trace_id = TRACE, span_id = SPAN, sampled = true }, parents.parse(GOOD))
    assert.is_false(parents.parse((GOOD:gsub("01$", "00"))).sampled)
    assert.is_true(parents.parse((GOOD:gsub("01$", "ff"))).sampled)
    assert.is_false(parents.parse((GOOD:gsub("01$", "fe"))).sampled)
  end)

  it("of a version to come may have more behind it (3.2.4)", function()
    for _, text in ipairs { "01", "cc", "fe" } do
      local later = GOOD:gsub("^00", text)
      assert.equal(TRACE, parents.parse(later).trace_id)
      assert.equal(TRACE, parents.parse(later .. "-what-the-future-brings").trace_id)
      assert.equal(TRACE, parents.parse(later .. "-").trace_id)
      assert.is_nil(parents.parse(later .. ".what"))
      assert.is_nil(parents.parse(later .. "0"))
    end
  end)

  for what, text in pairs {
    ["nothing"] = "",
    ["version ff (3.2.2.1)"] = GOOD:gsub("^00", "ff"),
    ["upper case"] = GOOD:upper(),
    ["upper case in the trace id"] = "00-" .. TRACE:upper() .. "-" .. SPAN .. "-01",
    ["upper case in the span id"] = "00-" .. TRACE .. "-" .. SPAN:upper() .. "-01",
    ["upper case in the flags"] = GOOD:gsub("01$", "0A"),
    ["a trace id of zeros (3.2.2.3)"] = "00-" .. ("0"):rep(32) .. "-" .. SPAN .. "-01",
    ["a span id of zeros (3.2.2.4)"] = "00-" .. TRACE .. "-" .. ("0"):rep(16) .. "-01",
    ["more behind version 00"] = GOOD .. "-00",
    ["a dash behind version 00"] = GOOD .. "-",
    ["a digit more"] = GOOD .. "0",
    ["a digit less"] = GOOD:sub(1, -2),
    ["a blank in front"] = " " .. GOOD,
    ["a blank behind"] = GOOD .. " ",
    ["a line end behind"] = GOOD .. "\n",
    ["two of them"] = GOOD .. "," .. GOOD,
    ["a short trace id"] = "00-" .. TRACE:sub(2) .. "-0" .. SPAN .. "-01",
    ["a long trace id"] = "00-0" .. TRACE .. "-" .. SPAN:sub(2) .. "-01",
    ["other dashes"] = GOOD:gsub("-", "_"),
    ["a NUL"] = GOOD:gsub("4bf", "4b\0"),
    ["no digits"] = GOOD:gsub("4bf", "4bg"),
    ["version 0"] = GOOD:gsub("^00", "0"),
  } do
    it("is refused with " .. what, function()
      assert.is_nil((parents.parse(text)))
    end)
  end

  it("is nothing else, whatever a stranger sends", function()
    math.randomseed(os.time())
    local letters = "0123456789abcdefABCDEFgz-, \0\255"
    for _ = 1, 20000 do
      local bytes = { GOOD:byte(1, -1) }
      for _ = 1, math.random(3) do
        local at, n = math.random(#bytes), math.random(#letters)
        local how = math.random(3)
        if how == 1 then
          bytes[at] = letters:byte(n)
        elseif how == 2 then
          table.insert(bytes, at, letters:byte(n))
        elseif #bytes > 1 then
          table.remove(bytes, at)
        end
      end
      local text = string.char(unpack(bytes))
      local got = parents.parse(text)
      local version, t, s, flags, tail = text:match("^(%x%x)%-(%x+)%-(%x+)%-(%x%x)(.*)$")
      local good = version and text:sub(1, 55) == text:sub(1, 55):lower() and #t == 32 and #s == 16
        and version ~= "ff" and t:find("[^0]") and s:find("[^0]")
        and (tail == "" or version ~= "00" and tail:sub(1, 1) == "-")
      assert.equal(good and true or false, got ~= nil, text)
      if got then
        assert.same({ t, s, tonumber(flags, 16) % 2 == 1 },
          { got.trace_id, got.span_id, got.sampled })
      end
    end
    for n = 0, #GOOD - 1 do assert.is_nil((parents.parse(GOOD:sub(1, n)))) end
  end)

  it("is a parent for spans by tracing.parse", function()
    local parent = assert(tracing.parse(GOOD, "a=1"))
    assert.same({ TRACE, SPAN, true, "a=1" },
      { parent.trace_id, parent.span_id, parent.sampled, parent.state })
    local none, err = tracing.parse("nonsense")
    assert.is_nil(none)
    assert.is_true(err:is("EINVAL"))
    assert.is_nil((tracing.parse(nil)))
  end)

  it("is checked where a table of somebody else's says it, as headers are", function()
    local function parent(state, baggage)
      return { trace_id = TRACE, span_id = SPAN, sampled = 1, state = state, baggage = baggage }
    end
    kit.run({}, function()
      local span = tracing.begin("x", { parent = parent("a=1", "b=2") })
      assert.same({ TRACE, true, "a=1", "b=2" },
        { span.trace_id, span.sampled, span.state, span.baggage })
      for _, bad in ipairs { "a=1\r\nEvil: 1", "\0", {}, 1, true } do
        span = tracing.begin("x", { parent = parent(bad, bad) })
        assert.same({ TRACE, false, false }, { span.trace_id, span.state, span.baggage })
        span:finish()
      end
    end)
  end)
end)

describe("tracestate", function()
  it("is passed on (3.3)", function()
    for text, want in pairs {
      ["rojo=00f067aa0ba902b7"] = "rojo=00f067aa0ba902b7",
      ["a=1,b=2"] = "a=1,b=2",
      ["a=1 ,\tb=2 , "] = "a=1,b=2",
      [",,a=1,,"] = "a=1",
      ["fw529a3039@dt=FfAAAAB"] = "fw529a3039@dt=FfAAAAB",
      ["0a@x=1"] = "0a@x=1",
      ["a_-*/9=!~ x"] = "a_-*/9=!~ x",
    } do
      assert.equal(want, parents.state(text), text)
    end
  end)

  it("is dropped as a whole where it cannot be read", function()
    for _, text in ipairs { "", " ", ",", "a", "a=", "=1", "A=1", "0a=1", "a=1,a=2", "a=b=c",
      "a =1", "@x=1", "a@=1", "a@9=1", "a=\1", "a=\195\188", "a=1,B=2", "a=" .. ("x"):rep(257),
      ("a"):rep(257) .. "=1", ("a"):rep(242) .. "@x=1", "a@" .. ("x"):rep(15) .. "=1" } do
      assert.is_nil(parents.state(text), text)
    end
    assert.is_nil(parents.state(nil))
  end)

  it("has 32 members at most (3.3.1.1)", function()
    local list = {}
    for i = 1, 32 do list[i] = ("k%d=%d"):format(i, i) end
    assert.equal(table.concat(list, ","), parents.state(table.concat(list, ",")))
    list[33] = "k33=1"
    assert.is_nil(parents.state(table.concat(list, ",")))
  end)

  it("is shortened to 512 bytes: long members first, then those at the end (3.3.1.5)", function()
    local long = "long=" .. ("x"):rep(200)
    local list = { "a=1", long, "b=" .. ("y"):rep(100), "c=" .. ("y"):rep(100),
      "d=" .. ("y"):rep(100), "e=" .. ("y"):rep(100) }
    table.remove(list, 2)
    local without = table.concat(list, ",")
    table.insert(list, 2, long)
    assert.equal(without, parents.state(table.concat(list, ",")))
    local many = {}
    for i = 1, 10 do many[i] = ("k%d=%s"):format(i, ("z"):rep(90)) end
    local kept = parents.state(table.concat(many, ","))
    assert.equal(table.concat(many, ",", 1, 5), kept)
  end)
end)

describe("baggage", function()
  it("is passed on where it can be read, and is bounded", function()
    assert.equal("a=1,b=2;p=x", parents.baggage("a=1,b=2;p=x"))
    for _, text in ipairs { "", "a", "a=\1", "a=1,\200=2", "a b=1", "a=" .. ("x"):rep(8192) } do
      assert.is_nil(parents.baggage(text), text)
    end
    assert.is_nil(parents.baggage(("a=1,"):rep(65)))
  end)
end)
