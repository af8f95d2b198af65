// What is raised; a failed assertion is an AssertionError, which every test runner shows as a failure.

import { AssertionError } from "node:assert";

/** The mock cannot be reached, or refuses what it was asked; the text names the place and what is allowed. */
export class MockError extends Error {
  constructor(message, reason = "") {
    super(message);
    this.name = "MockError";
    this.reason = reason;
  }
}

/** The application does not show what went over the wire; `exchanges` is what went. */
export class ClientSawError extends AssertionError {
  constructor(message, exchanges = []) {
    super({ message });
    this.name = new.target.name;
    this.exchanges = exchanges;
  }
}

/** The wire carried content, and the application shows nothing and raised nothing. */
export class SilentEmptyError extends ClientSawError {}

/** The application shows another text than went over the wire. */
export class WrongTextError extends ClientSawError {}

/** No request came, so there is nothing to compare with. */
export class NothingAskedError extends ClientSawError {}
