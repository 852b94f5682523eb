-- Patterns of topics: what they match, and that Redis says the same.

local green = require "green"
local beside = require "spec.support.redis_beside"
local glob = require "green.pubsub.glob"
local pubsub = require "green.pubsub"
local testing = require "green.testing"

local cases = {
  -- pattern, what it matches, what it does not
  { "a", { "a" }, { "", "b", "aa" } },
  { "*", { "a", "abc", "*" }, {} },
  { "a*", { "a", "ab", "a*" }, { "ba" } },
  { "*a", { "a", "ba", "aa" }, { "ab" } },
  { "a*b*c", { "abc", "aXbXc", "abcbc" }, { "ab", "acb" } },
  { "**a**", { "a", "bab" }, { "b" } },
  { "?", { "a", "?" }, { "", "ab" } },
  { "h[ae]llo", { "hello", "hallo" }, { "hillo", "hllo" } },
  { "h[^e]llo", { "hallo", "h^llo" }, { "hello", "hllo" } },
  { "[a-c]", { "a", "b", "c" }, { "d", "-" } },
  { "[c-a]", { "a", "b", "c" }, { "d" } },
  { "[a\\]]", { "a", "]" }, { "\\" } },
  { "[a-]", { "^", "a" }, { "-", "b" } },
  { "[]", {}, { "a", "]", "[" } },
  { "[^]", { "a", "]" }, { "" } },
  { "[abc", { "a", "c" }, { "[abc", "d" } },
  { "a[", {}, { "a", "a[" } },
  { "\\*", { "*" }, { "a", "\\*" } },
  { "a\\", { "a\\" }, { "a" } },
  { "\\\\", { "\\" }, { "\\\\" } },
  { "\\[a]", { "[a]" }, { "a" } },
  { "a\0*", { "a\0", "a\0b" }, { "a" } },
}

describe("patterns of topics", function()
  for _, case in ipairs(cases) do
    it(("match what %q says"):format(case[1]), function()
      for _, text in ipairs(case[2]) do
        assert.is_true(pubsub.matches(case[1], text), text)
      end
      for _, text in ipairs(case[3]) do
        assert.is_false(pubsub.matches(case[1], text), text)
      end
    end)
  end

  it("take no time that grows with the stars", function()
    local steps, text = 0, ("a"):rep(2000)
    debug.sethook(function() steps = steps + 1 end, "", 1000)
    jit.off()
    assert.is_false(pubsub.matches(("*a"):rep(50) .. "b", text))
    jit.on()
    debug.sethook()
    assert.is_true(steps < 10000, steps)
  end)

  it("can be made of a text that is meant", function()
    for _, text in ipairs { "a*b", "[x]", "\\", "?", "plain:" } do
      assert.is_true(pubsub.matches(glob.literal(text) .. "*", text .. "more"))
      assert.is_false(pubsub.matches(glob.literal(text), text .. "x"))
    end
    assert.is_false(pubsub.matches(glob.literal "a*b", "axb"))
  end)
end)

local LETTERS = { "a", "b", "c", "-", "^", "[", "]", "\\", "*", "?" }

local function random_text(least, most)
  local parts = {}
  for i = 1, math.random(least, most) do
    parts[i] = LETTERS[math.random(#LETTERS)]
  end
  return table.concat(parts)
end

local _, it_real = testing.busted()

it_real("patterns of topics match what Redis matches", function()
  beside.with(function(server)
    local conn = assert(green.connect("unix:" .. server.path))
    local texts = {}
    for i = 1, 300 do
      texts[i] = random_text(1, 6)
      beside.ask(conn, "SET", texts[i], "x")
    end
    for _ = 1, 1500 do
      local pattern, found = random_text(1, 8), {}
      for _, text in ipairs(beside.ask(conn, "KEYS", pattern)) do
        found[text] = true
      end
      for _, text in ipairs(texts) do
        if (found[text] or false) ~= pubsub.matches(pattern, text) then
          error(("%q with %q: Redis says %s"):format(pattern, text, tostring(found[text])), 0)
        end
      end
    end
    conn:close()
  end)
end)
