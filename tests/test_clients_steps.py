"""What the tutorial's own client does, in its order: it must work unchanged (contract, part 1)."""

from __future__ import annotations

from watchword.testing import Running


def test_the_tutorials_client_works_unchanged(watchword: Running) -> None:
    client, at = watchword.client, watchword.prefix
    assert client.get(f"{at}/health").status_code == 200
    me = {
        "username": "auth_test_user",
        "email": "authtest@example.com",
        "password": "SecurePass123",
    }
    registered = client.post(f"{at}/auth/register", json=me)
    assert registered.status_code == 201
    assert registered.json()["role"] == "user"

    wrong = client.post(f"{at}/auth/login", json={**me, "password": "WrongPassword123"})
    assert wrong.status_code == 401
    assert wrong.json()["detail"] == "Incorrect username or password"

    tokens = client.post(f"{at}/auth/login", json=me)
    assert tokens.status_code == 200
    pair = tokens.json()
    assert pair["token_type"] == "bearer"
    assert pair["expires_in"] == 1800

    assert client.get(f"{at}/users").status_code == 401
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    assert client.get(f"{at}/users", headers=bearer).status_code == 200
    assert client.get(f"{at}/auth/me", headers=bearer).json()["username"] == "auth_test_user"

    refreshed = client.post(f"{at}/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert refreshed.status_code == 200
    bearer = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}

    change = {"current_password": "SecurePass123", "new_password": "NewSecurePass123"}
    assert client.post(f"{at}/auth/password/change", json=change, headers=bearer).is_success
    me["password"] = "NewSecurePass123"
    assert client.post(f"{at}/auth/login", json=me).status_code == 200

    asked = client.post(f"{at}/auth/password/reset/request", json={"email": me["email"]})
    assert asked.status_code == 200
    assert asked.json()["message"].startswith("Password reset token (DEV ONLY): ")
    reset = {"token": asked.json()["message"].split(": ")[1], "new_password": "ResetPass123"}
    assert client.post(f"{at}/auth/password/reset/confirm", json=reset).status_code == 200
    me["password"] = "ResetPass123"
    pair = client.post(f"{at}/auth/login", json=me).json()
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}

    asked = client.post(f"{at}/auth/email/verification/request", headers=bearer)
    assert asked.json()["message"].startswith("Verification token (DEV ONLY): ")
    confirm = {"token": asked.json()["message"].split(": ")[1]}
    assert client.post(f"{at}/auth/email/verification/confirm", json=confirm).is_success
    assert client.get(f"{at}/auth/me", headers=bearer).json()["is_verified"] is True

    another = {"username": "another", "email": "another@example.com", "password": "SecurePass123"}
    assert client.post(f"{at}/users", json=another, headers=bearer).status_code == 403
    malformed = {"Authorization": "Bearer not.a.token"}
    assert client.get(f"{at}/auth/me", headers=malformed).status_code == 401
    assert client.post(f"{at}/auth/logout", headers=bearer).status_code == 200
    assert client.get(f"{at}/auth/me", headers=bearer).status_code == 401
