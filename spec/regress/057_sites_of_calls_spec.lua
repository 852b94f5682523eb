-- Where a line of the library had spawned for the library itself, that line stood as
-- the spawn site of all that it spawned for scripts from then on.

local green = require "green"

local _, it = require("green.testing").busted()

--- The spawn site of the green thread that is new since.
local function new_site(before)
  for _, t in ipairs(green.threads()) do
    if not before[t] then
      return t:spawn_site()
    end
  end
end

local function threads()
  local set = {}
  for _, t in ipairs(green.threads()) do
    set[t] = true
  end
  return set
end

describe("the spawn site", function()
  it("is the script's, though the library has spawned in the same place before", function()
    local pool = green.GreenPool(4)
    local inner = pool:imap(nil, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
    for _ in pool:imap(nil, inner) do end -- luacheck: ignore
    local before = threads()
    local items = pool:imap(nil, { 1 })
    assert.matches("057_sites_of_calls_spec.lua:" .. debug.getinfo(1, "l").currentline - 1,
      new_site(before))
    items()
  end)

  it("is a line of the library's in its own threads, where C calls it", function()
    local listener = assert(green.listen "127.0.0.1:0")
    local server = green.spawn(green.serve, listener, function(conn)
      conn:read_line()
    end)
    local conn = assert(green.connect(assert(listener:sockname())))
    require("green.testing").settle()
    local n = 0
    for _, t in ipairs(green.threads()) do
      assert.is_nil(t:spawn_site():find("[C]", 1, true), t:spawn_site())
      n = n + (t:spawn_site():find("green/net/", 1, true) and 1 or 0)
    end
    assert.is_true(n > 0)
    conn:close()
    server:kill()
    listener:close()
  end)

  it("is the script's where pcall calls spawn", function()
    local _, t = pcall(green.spawn, function() end)
    assert.matches("057_sites_of_calls_spec.lua:" .. debug.getinfo(1, "l").currentline - 1,
      t:spawn_site())
    t:wait()
  end)
end)
