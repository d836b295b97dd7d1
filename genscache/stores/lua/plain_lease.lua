-- The plain case of a lease, in front of everything else: no counter has another one. Words that steps share are not even
-- defined then, which would take longer than this does. What it leaves is what the step below would leave.
-- KEYS, ARGV: see there.

do
  local found = redis.call('MGET', unpack(KEYS))
  local plain = true
  for i = 1, #KEYS do
    local raw = found[i]
    plain = plain and (not raw or #raw == 16 and raw:find('^[1-8][0-9]*$'))
  end
  if plain then
    local time = redis.call('TIME')
    local deadline = time[1] * 1000000 + time[2] + ARGV[2] * 1000
    local lease = string.format(' %s@%.0f', ARGV[1], deadline)
    redis.call('UNLINK', KEYS[1] .. ':full') -- see also_when_full
    for i = 1, #KEYS do
      if found[i] then
        redis.call('SET', KEYS[i], found[i] .. lease, 'PX', ARGV[3])
      else
        redis.call('SET', KEYS[i], '0' .. lease, 'PX', ARGV[2])
      end
    end
    return 1
  end
end

