--- Semaphores and what is made of them: counts that green threads wait for.
--
-- Who waits is served in order of arrival: a release hands its permit to the
-- longest waiting, and nobody can snatch it on the way.
-- @module green.semaphore

local capped = require "green.semaphore.capped"
local lock = require "green.semaphore.lock"
local plain = require "green.semaphore.plain"

return {
  Semaphore = plain.Semaphore,
  BoundedSemaphore = plain.BoundedSemaphore,
  CappedSemaphore = capped.CappedSemaphore,
  RLock = lock.RLock,
  metaphore = lock.metaphore,
}
