-- What an endpoint must do with each frame, right or wrong: the catalogue of cases that RFC 6455
-- asks for, in spec/websocket/cases, played to both ends and to all forms, all strict.

local testing = require "green.testing"
local cases = require "spec.support.websocket_cases"
local forms = require "spec.support.websocket_forms"

local _, it = testing.busted()

local groups = {}
for _, name in ipairs { "framing", "control", "fragments", "utf8", "closing" } do
  groups[name] = require("spec.websocket.cases." .. name)
end

--- The cases of a group in parts: a spec of the real clock has 30 s.
local function parts(list, size)
  local out = {}
  for i, case in ipairs(list) do
    local n = math.floor((i - 1) / size) + 1
    out[n] = out[n] or {}
    table.insert(out[n], case)
  end
  return out
end

describe("green.websocket as RFC 6455 has it", function()
  for _, form in ipairs(forms.forms) do
    for name, list in pairs(groups) do
      for i, part in ipairs(parts(list, 100)) do
        it(("%s: %s, part %d (%s to %s)"):format(form.name, name, i, part[1].id, part[#part].id),
          function()
            form.with({ compression = false }, function(open)
              assert.same({}, cases.failures(part, open))
            end)
          end)
      end
    end
  end

  teardown(function()
    print(("# websocket: %d cases, played %d times"):format(cases.played.cases,
      cases.played.plays))
  end)
end)
