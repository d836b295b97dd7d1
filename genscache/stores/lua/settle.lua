-- End the leases of a token: bump the first counters, leave the generation of the others.
-- KEYS: clock, counters to bump, counters to release. ARGV: token, how many to bump, life of a counter in ms.

also_when_full(KEYS[1])
look(KEYS)
local clock = open_clock(KEYS[1])
local bumped = 1 + tonumber(ARGV[2])

local function others(lease)
  return lease[1] ~= ARGV[1]
end

for i = 2, #KEYS do
  local generation, token = only_lease(KEYS[i])
  if i <= bumped and token == ARGV[1] then
    store(KEYS[i], text(clock.next(generation)), 'PX', ARGV[3])
  else
    local counter = read(KEYS[i])
    local dropped = counter and filter(counter, others) or 0
    if counter and counter.generation == 0 then
      if dropped > 0 then
        write_mark(KEYS[i], counter, now_us())
      end
    elseif counter and i <= bumped then
      -- Also when the token is gone: a reader may have resolved it and filled before a slow COMMIT took effect.
      counter.generation = clock.next(counter.generation)
      write(KEYS[i], counter, 'PX', ARGV[3])
    elseif dropped > 0 then
      write(KEYS[i], counter, 'KEEPTTL')
    end
  end
end
clock.close()
return 1
