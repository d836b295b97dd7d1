-- The plain case of a settle: each counter has the lease of this token and no other. See plain_lease.
-- KEYS, ARGV: see below.

do
  local found = redis.call('MGET', unpack(KEYS))
  local clock = found[1]
  local plain = clock and #clock == 16 and clock:find('^[1-8][0-9]*$')
  local lease, seen = ' ' .. ARGV[1] .. '@', {}
  for i = 2, #KEYS do
    local raw = found[i] or ''
    local start, stop = raw:find(lease, 1, true)
    local generation = raw:sub(1, (start or 1) - 1)
    plain = plain
      and not seen[KEYS[i]]
      and (generation == '0' or #generation == 16 and generation:find('^[1-8][0-9]*$'))
      and #raw == stop + 16
      and raw:find('^[1-8][0-9]*$', stop + 1)
    found[i], seen[KEYS[i]] = generation, true
  end
  if plain then
    local time = redis.call('TIME')
    local now, last, bumped = time[1] * 1000000 + time[2], tonumber(clock), 1 + ARGV[2]
    redis.call('UNLINK', KEYS[1] .. ':full') -- see also_when_full
    for i = 2, #KEYS do
      local generation = found[i]
      if generation == '0' then
        redis.call('UNLINK', KEYS[i])
      elseif i <= bumped then
        last = math.max(last + 1, now, generation + 1)
        redis.call('SET', KEYS[i], string.format('%.0f', last), 'PX', ARGV[3])
      else
        redis.call('SET', KEYS[i], generation, 'KEEPTTL')
      end
    end
    if last > tonumber(clock) then
      redis.call('SET', KEYS[1], string.format('%.0f', last))
    end
    return 1
  end
end

