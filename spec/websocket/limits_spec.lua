-- Messages up to 16 MB, in up to 65,536 fragments: spec/websocket/cases/limits.lua, each in a
-- spec of its own.

local testing = require "green.testing"
local cases = require "spec.support.websocket_cases"
local forms = require "spec.support.websocket_forms"

local _, it = testing.busted()

describe("green.websocket with large messages", function()
  for _, form in ipairs(forms.forms) do
    for _, case in ipairs(require "spec.websocket.cases.limits") do
      it(("%s: %s %s"):format(form.name, case.id, case.title), function()
        form.with({ compression = false }, function(open)
          assert.same({}, cases.failures({ case }, open))
        end)
      end)
    end
  end
end)
