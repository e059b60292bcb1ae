package parallel

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

var keys = []string{"a", "b", "c", "d", "e"}

func TestEachFailureBelongsToItsKey(t *testing.T) {
	failed := Each(keys, 2, func(key string) error {
		switch key {
		case "b":
			return errors.New("b failed")
		case "d":
			panic("a secret")
		}
		return nil
	})
	if len(failed) != 2 || failed["b"].Error() != "b failed" || !strings.Contains(failed["d"].Error(), "internal fault: string") {
		t.Errorf("what failed is %v", failed)
	}
	if strings.Contains(failed["d"].Error(), "a secret") {
		t.Error("the error of a panic quotes what was thrown")
	}
}

func TestResultsOfAllAreInTheOrderOfTheKeys(t *testing.T) {
	got, err := All(t.Context(), keys, 2, func(_ context.Context, key string) (string, error) { return key + key, nil })
	if err != nil || !slices.Equal(got, []string{"aa", "bb", "cc", "dd", "ee"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAllEndsWithTheFirstFailure(t *testing.T) {
	var ran atomic.Int32
	for what, fail := range map[string]func() error{
		"error": func() error { return errors.New("first") },
		"panic": func() error { panic("a secret") },
	} {
		ran.Store(0)
		_, err := All(t.Context(), keys, 1, func(context.Context, string) (int, error) {
			ran.Add(1)
			return 0, fail()
		})
		if err == nil || strings.Contains(err.Error(), "a secret") || ran.Load() == int32(len(keys)) {
			t.Errorf("%s: %v after %d of %d keys", what, err, ran.Load(), len(keys))
		}
	}
}

func TestAllEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := All(ctx, keys, 1, func(context.Context, string) (int, error) {
		cancel()
		return 0, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it returns %v", err)
	}
}
