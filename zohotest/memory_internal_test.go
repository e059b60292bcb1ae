// Tests of the type memory: what it keeps, for how long, and that it forgets the rest.

package zohotest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

func TestAMemoryKeepsTheNewestAndWhatIsInUse(t *testing.T) {
	const n = 10
	m := newMemory(n, func(key string, used bool) bool { return used })
	m.put("in use", true)
	m.put("not in use", false)
	keys := func(from, to int) (made []string) {
		for i := from; i < to; i++ {
			made = append(made, fmt.Sprintf("%03d", i))
		}
		return made
	}
	kept := func(what string, want ...string) {
		t.Helper()
		got := slices.Sorted(maps.Keys(maps.Collect(m.all())))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: it keeps %q, want %q", what, got, want)
		}
		for _, key := range want {
			if _, found := m.get(key); !found {
				t.Errorf("%s: %s is not found", what, key)
			}
		}
		if _, found := m.get("never"); found {
			t.Errorf("%s: what never was is found", what)
		}
	}
	put := func(from, to int) {
		for _, key := range keys(from, to) {
			m.put(key, false)
			m.put(key, false) // again, which keeps its age
			m.put("in use", true)
		}
	}
	both := []string{"in use", "not in use"}
	put(0, 8)
	kept("after n keys", append(keys(0, 8), both...)...)
	put(8, 18)
	kept("after n more", append(keys(0, 18), both...)...)
	put(18, 19) // the first n are dropped
	kept("after one more", append(keys(8, 19), "in use")...)
	put(19, 28)
	kept("before the next drop", append(keys(8, 28), "in use")...)
	put(28, 29)
	kept("after it", append(keys(18, 29), "in use")...)

	m.put("018", true) // an old one is in use now
	if used, _ := m.get("018"); !used {
		t.Error("the new value of an old key was not kept")
	}
	m.put("in use", false)
	put2 := func(from, to int) {
		for _, key := range keys(from, to) {
			m.put(key, false)
		}
	}
	put2(29, 39)
	kept("after the next drop", append(keys(28, 39), "018")...)
	m.drop(func(used bool) bool { return !used })
	kept("after all that is not in use was dropped", "018")
	for range m.all() {
		break // and nothing more is asked for
	}
}
