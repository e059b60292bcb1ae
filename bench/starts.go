// How long is nobody served? From unseal, from the death of the plugin's process and
// from that of the active node, to the first answer.

package main

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// Start is how long it took, in medians.
type Start struct {
	Subject    string
	Unseal     time.Duration // of Vault, with everything else that is mounted
	PluginKill time.Duration
	// The same where no stored token lives, so that the first read mints one; 0 for what mints none.
	UnsealMint, PluginKillMint time.Duration
	Failover                   time.Duration // of a cluster of three, read at a node that takes over or forwards
	Binary                     int64         // bytes
	Memory                     int64         // of the process when it has answered once
	Times                      int           // each
}

// starts measures how a subject comes back.
func (o *options) starts(s *server, sub *subject) (*Start, error) {
	made := &Start{Subject: sub.name, Times: 5}
	if o.short {
		made.Times = 1
	}
	if info, err := os.Stat(s.folder + "/plugins/" + sub.name); err == nil {
		made.Binary = info.Size()
	}
	// comeBack measures both; ready is called before each.
	comeBack := func(ready func() error) (unseal, kill time.Duration, err error) {
		var unseals, kills []time.Duration
		for range made.Times {
			if err := ready(); err != nil {
				return 0, 0, err
			}
			s.stop(syscall.SIGTERM)
			if err := s.start(); err != nil {
				return 0, 0, err
			}
			begun := time.Now()
			if err := s.ask("POST", "sys/unseal", map[string]any{"key": s.key}, nil); err != nil {
				return 0, 0, err
			}
			if err := s.firstRead(sub.path); err != nil {
				return 0, 0, err
			}
			unseals = append(unseals, time.Since(begun))
			made.Memory = s.memory(sub.name)
			if err := ready(); err != nil {
				return 0, 0, err
			}
			begun = time.Now()
			if err := syscall.Kill(s.pid(sub.name), syscall.SIGKILL); err != nil {
				return 0, 0, err
			}
			if err := s.firstRead(sub.path); err != nil {
				return 0, 0, err
			}
			kills = append(kills, time.Since(begun))
		}
		return middle(unseals), middle(kills), nil
	}
	var err error
	if made.Unseal, made.PluginKill, err = comeBack(func() error { return nil }); err != nil || sub.name != engineName {
		return made, err
	}
	made.UnsealMint, made.PluginKillMint, err = comeBack(func() error { return s.ask("POST", engineName+"/revoke/app", nil, nil) })
	return made, err
}

func middle(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// ClusterReads are warm reads of a cluster of three, 16 connections, medians of rounds.
type ClusterReads struct {
	Subject  string
	Standby  bool // which forwards them to the active node
	Rate     float64
	P50, P99 time.Duration
}

func (o *options) clusterReads(nodes []*server, subjects []*subject) (made []ClusterReads, err error) {
	const connections = 16
	type asked struct {
		of *subject
		at *server
	}
	var order []asked
	for _, sub := range subjects {
		for _, node := range nodes[:2] {
			order = append(order, asked{sub, node})
		}
	}
	samples := map[asked][]sample{}
	for range o.rounds {
		for _, a := range order {
			taken, err := measure(a.at, a.of, connections, time.Duration(o.length)*time.Millisecond)
			if err != nil {
				return nil, err
			}
			samples[a] = append(samples[a], taken)
		}
	}
	for _, a := range order {
		f := figures(a.of, connections, samples[a])
		made = append(made, ClusterReads{f.Subject, a.at != nodes[0], f.Rate, f.P50, f.P99})
	}
	return made, nil
}

// failovers makes a cluster of three, reads from it, and kills its active node; each
// subject is then asked of the others until one answers.
func (o *options) failovers(z *simulated, starts []*Start) (reads []ClusterReads, err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	var nodes []*server
	defer func() {
		for _, node := range nodes {
			node.stop(syscall.SIGKILL)
		}
	}()
	for i := range 3 {
		node, err := newServer(o.vault, folder, fmt.Sprint("node", i))
		if err != nil {
			return nil, err
		}
		if err := node.start(); err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
		if i == 0 {
			if err := node.initialize(); err != nil {
				return nil, err
			}
			continue
		}
		if err := node.join(nodes[0]); err != nil {
			return nil, err
		}
	}
	cluster := *o
	cluster.subject = []string{engineName}
	subjects, err := cluster.subjects(nodes[0], z)
	if err != nil {
		return nil, err
	}
	// A node that just joined cannot be elected.
	if err := nodes[0].await("a cluster of three voters", nodes[0].threeVoters); err != nil {
		return nil, err
	}
	if reads, err = o.clusterReads(nodes, subjects); err != nil {
		return nil, err
	}
	nodes[0].stop(syscall.SIGKILL)
	begun := time.Now()
	answered := map[string]time.Duration{}
	for time.Since(begun) < time.Minute && len(answered) < len(subjects) {
		for _, sub := range subjects {
			for _, node := range nodes[1:] {
				if answered[sub.name] == 0 && node.ask("GET", sub.path, nil, nil) == nil {
					answered[sub.name] = time.Since(begun)
				}
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	for _, start := range starts {
		start.Failover = answered[start.Subject]
	}
	return reads, nil
}

func (s *server) threeVoters() bool {
	var peers struct {
		Data struct {
			Config struct{ Servers []struct{ Voter bool } }
		}
	}
	if s.ask("GET", "sys/storage/raft/configuration", nil, &peers) != nil {
		return false
	}
	voters := 0
	for _, peer := range peers.Data.Config.Servers {
		if peer.Voter {
			voters++
		}
	}
	return voters == 3
}
