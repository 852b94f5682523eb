local challenge = require "green.http.challenge"

--- "scheme[token68](name=value,...)" of each, sorted names.
local function short(...)
  local list = assert(challenge.parse { ... })
  local out = {}
  for i, one in ipairs(list) do
    local params = {}
    for name, value in pairs(one.params) do
      params[#params + 1] = name .. "=" .. value
    end
    table.sort(params)
    out[i] = one.scheme .. (one.token68 and "[" .. one.token68 .. "]" or "")
      .. (params[1] and "(" .. table.concat(params, ",") .. ")" or "")
  end
  return table.concat(out, " ")
end

local GOOD = {
  { "", "" }, { " , ,\t,", "" }, { "Basic", "basic" }, { 'Basic realm="x"', "basic(realm=x)" },
  { 'Basic realm=x', "basic(realm=x)" }, { 'BASIC REALM="X"', "basic(realm=X)" },
  { 'Basic realm = "x"', "basic(realm=x)" }, { 'Basic   realm="x" ', "basic(realm=x)" },
  { 'Basic realm=""', "basic(realm=)" }, { 'Basic realm="a,b=c"', "basic(realm=a,b=c)" },
  { [[Basic realm="a\"b\\c\d"]], [[basic(realm=a"b\cd)]] }, { 'Basic realm="é"', "basic(realm=é)" },
  { 'Basic realm="x", charset="UTF-8"', "basic(charset=UTF-8,realm=x)" },
  { "Negotiate abc==", "negotiate[abc==]" }, { "Negotiate abc", "negotiate[abc]" },
  { "Negotiate a+b/c=", "negotiate[a+b/c=]" }, { "Negotiate, NTLM", "negotiate ntlm" },
  { 'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
    'newauth(realm=apps,title=Login to "apps",type=1) basic(realm=simple)' },
  { 'Negotiate a=, Digest realm="r",nonce="n",  qop="auth, auth-int"',
    "negotiate[a=] digest(nonce=n,qop=auth, auth-int,realm=r)" },
  { 'Digest realm="r", nonce="n", Basic', "digest(nonce=n,realm=r) basic" },
  { "Basic realm=", "basic[realm=]" }, { "Negotiate abc= x", "negotiate(abc=x)" },
  { "Basic,Basic realm=x,y=z", "basic basic(realm=x,y=z)" },
}

local BAD = { 'Basic realm="x', 'Basic realm="x" y', 'realm="x"', "=", '"',
  'Basic realm="x" "y"', 'Basic realm="x", realm="y"', "Negotiate abc, realm=x", "Basic a=b=c",
  "Basic realm=x y=z", "Bas(ic", 'Basic realm="a\1b"', 'Basic realm="a\\', 'Basic realm="a\\"',
  ("x"):rep(8193), ("Basic,"):rep(17), "Basic \"x\"" }

describe("green.http.challenge", function()
  for _, case in ipairs(GOOD) do
    it(("reads %q"):format(case[1]), function()
      assert.equal(case[2], short(case[1]))
    end)
  end

  for _, text in ipairs(BAD) do
    it(("refuses %q"):format(text:sub(1, 40)), function()
      local list, err = challenge.parse { text }
      assert.is_nil(list)
      assert.equal("EPROTO", err.code)
    end)
  end

  it("reads several headers, and refuses all when one is malformed", function()
    assert.equal("basic digest(realm=x)", short("Basic", "Digest realm=x"))
    assert.is_nil((challenge.parse { "Basic", "=" }))
  end)

  it("bounds how many parameters there are", function()
    local params = {}
    for i = 1, 32 do params[i] = ("p%d=x"):format(i) end
    local text = "Digest " .. table.concat(params, ", ")
    assert.is_table(challenge.parse { text })
    assert.is_nil((challenge.parse { text .. ", more=x" }))
  end)

  it("reads parameters that stand alone", function()
    assert.same({ nextnonce = "n", qop = "auth" },
      challenge.params 'nextnonce="n", qop=auth')
    assert.same({}, challenge.params "")
    for _, text in ipairs { "Digest a=b", "a", 'a="', "a=b, a=c" } do
      assert.is_nil(challenge.params(text), text)
    end
  end)

  it("bears anything, and all beginnings of what is right", function()
    for _, case in ipairs(GOOD) do
      for at = 0, #case[1] do
        challenge.parse { case[1]:sub(1, at) }
        challenge.parse { case[1]:sub(at + 1) }
      end
    end
    math.randomseed(6)
    local parts = { "Basic", "realm", "=", '"', ",", " ", "\\", "x", "==", "\t", "\0", "\255", "/" }
    for _ = 1, 50000 do
      local out = {}
      for i = 1, math.random(0, 12) do
        out[i] = parts[math.random(#parts)]
      end
      challenge.parse { table.concat(out) }
    end
  end)
end)
