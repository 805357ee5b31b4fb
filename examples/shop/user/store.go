package user

import (
	"context"
	"sync"
)

// store keeps the users in memory. The zero store is empty.
type store struct {
	mu    sync.Mutex
	users map[string]User
}

func (s *store) insert(_ context.Context, u User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.users[u.ID]; ok {
		return ErrExists
	}
	if s.users == nil {
		s.users = make(map[string]User)
	}
	s.users[u.ID] = u
	return nil
}

func (s *store) find(_ context.Context, id string) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[id]
	if !ok {
		return User{}, ErrUnknown
	}
	return u, nil
}

func (s *store) addPoints(_ context.Context, id string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[id]
	if !ok {
		return ErrUnknown
	}
	u.Points += n
	s.users[id] = u
	return nil
}

func (s *store) count(context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.users), nil
}
