// How do subjects compare? Each is measured in turn, in several rounds, and compared
// with the floor of the same round: what the machine does meanwhile happens to all.

package main

import (
	"fmt"
	"slices"
	"time"
)

// Figures are medians over the rounds.
type Figures struct {
	Subject     string
	About       string
	Connections int
	Rate        float64       // reads a second
	Ratio       float64       // to the floor, median of the rounds' ratios
	Low, High   float64       // lowest and highest of these
	P50         time.Duration // latency
	P95         time.Duration
	P99         time.Duration
	P99Ratio    float64       // to the floor's
	VaultCPU    time.Duration // for each request
	PluginCPU   time.Duration
	CPURatio    float64 // of both, to the floor's
	Memory      int64   // of the plugin process, at the end
}

// Comparison is what all rounds gave.
type Comparison struct {
	Rounds  int
	Length  time.Duration // of one measurement
	Figures []Figures
	Drift   float64 // the floor at the end of a round to that at its beginning, median
	Others  float64 // part of the processors that was used by others meanwhile
}

var concurrency = []int{1, 16, 64}

// sample is one measurement.
type sample struct {
	rate            float64
	p50, p95, p99   time.Duration
	vault, plugin   time.Duration
	ratio, p99Ratio float64
	cpuRatio        float64
}

func (o *options) compare(s *server, subjects []*subject) (*Comparison, error) {
	length := time.Duration(o.length) * time.Millisecond
	c := &Comparison{Rounds: o.rounds, Length: length}
	levels := concurrency
	if o.short {
		levels = []int{16}
	}
	for _, sub := range subjects { // warm up: caches, connections, memory
		if _, err := put(s, 16, max(length/2, 300*time.Millisecond), same(sub.path)); err != nil {
			return nil, err
		}
	}
	samples, before := map[int]map[string][]sample{}, s.used()
	var drifts []float64
	for round := range o.rounds {
		progress("round %d of %d", round+1, o.rounds)
		for _, n := range levels {
			if samples[n] == nil {
				samples[n] = map[string][]sample{}
			}
			order := slices.Clone(subjects[1:])
			slices.SortFunc(order, func(a, b *subject) int {
				return (position(subjects, a)+round)%len(order) - (position(subjects, b)+round)%len(order)
			})
			first, err := measure(s, subjects[0], n, length)
			if err != nil {
				return nil, err
			}
			taken := map[string]sample{}
			for _, sub := range order {
				if taken[sub.name], err = measure(s, sub, n, length); err != nil {
					return nil, err
				}
			}
			last, err := measure(s, subjects[0], n, length)
			if err != nil {
				return nil, err
			}
			drifts = append(drifts, last.rate/first.rate)
			floor := between(first, last)
			taken[subjects[0].name] = floor
			for name, t := range taken {
				t.ratio, t.p99Ratio = t.rate/floor.rate, float64(t.p99)/float64(floor.p99)
				t.cpuRatio = float64(t.vault+t.plugin) / float64(floor.vault+floor.plugin)
				samples[n][name] = append(samples[n][name], t)
			}
		}
	}
	for _, n := range levels {
		for _, sub := range subjects {
			c.Figures = append(c.Figures, figures(sub, n, samples[n][sub.name]))
		}
	}
	c.Drift, c.Others = median(drifts), s.used().others(before)
	return c, nil
}

func position(subjects []*subject, s *subject) int { return slices.Index(subjects, s) }

func measure(s *server, sub *subject, connections int, length time.Duration) (sample, error) {
	vault, plugin := cpuTime(s.process.Process.Pid), cpuTime(sub.pid)
	l, err := put(s, connections, length, same(sub.path))
	if err != nil {
		return sample{}, err
	}
	if l.Failures > 0 {
		return sample{}, fmt.Errorf("%d of %d reads of %s failed", l.Failures, l.Requests, sub.path)
	}
	each := time.Duration(l.Requests)
	return sample{
		rate: l.Rate(), p50: l.percentile(0.50), p95: l.percentile(0.95), p99: l.percentile(0.99),
		vault: (cpuTime(s.process.Process.Pid) - vault) / each, plugin: (cpuTime(sub.pid) - plugin) / each,
	}, nil
}

// between is the middle of two measurements of one subject.
func between(a, b sample) sample {
	return sample{
		rate: (a.rate + b.rate) / 2, p50: (a.p50 + b.p50) / 2, p95: (a.p95 + b.p95) / 2, p99: (a.p99 + b.p99) / 2,
		vault: (a.vault + b.vault) / 2, plugin: (a.plugin + b.plugin) / 2,
	}
}

func figures(sub *subject, connections int, samples []sample) Figures {
	ratios := column(samples, func(s sample) float64 { return s.ratio })
	duration := func(get func(sample) time.Duration) time.Duration {
		return time.Duration(median(column(samples, func(s sample) float64 { return float64(get(s)) })))
	}
	return Figures{
		Subject: sub.name, About: sub.about, Connections: connections, Memory: resident(sub.pid),
		Rate:  median(column(samples, func(s sample) float64 { return s.rate })),
		Ratio: median(ratios), Low: slices.Min(ratios), High: slices.Max(ratios),
		P50: duration(func(s sample) time.Duration { return s.p50 }), P95: duration(func(s sample) time.Duration { return s.p95 }),
		P99:      duration(func(s sample) time.Duration { return s.p99 }),
		P99Ratio: median(column(samples, func(s sample) float64 { return s.p99Ratio })),
		CPURatio: median(column(samples, func(s sample) float64 { return s.cpuRatio })),
		VaultCPU: duration(func(s sample) time.Duration { return s.vault }), PluginCPU: duration(func(s sample) time.Duration { return s.plugin }),
	}
}

func column(samples []sample, get func(sample) float64) (values []float64) {
	for _, s := range samples {
		values = append(values, get(s))
	}
	return values
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
