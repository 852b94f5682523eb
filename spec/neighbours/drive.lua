--- Turn a cqueues loop to its end; while it waits, green threads run.

local green = require "green"

return function(cq)
  while true do
    assert(cq:step(0))
    if cq:empty() then
      return
    end
    local ok, err = green.trampoline(cq, { timeout = cq:timeout() })
    assert(ok or err:is "ETIMEDOUT", err)
  end
end
