"""Pure translations between what the code holds and what the contracts say."""
